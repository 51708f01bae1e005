"""A small HTTP server that speaks the Hub's papers API: search, daily papers, one paper, its text as Markdown."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

PRIMER = {
    "id": "2109.08668",
    "title": "Primer: Searching for Efficient Transformers for Language Modeling",
    "summary": "A search finds that squaring ReLU activations and convolving the heads makes Transformers cheaper.",
    "publishedAt": "2021-09-17T17:50:39.000Z",
    "authors": [{"name": "David So", "hidden": False}],
}
SWIGLU = {
    "id": "2002.05202",
    "title": "GLU Variants Improve Transformer",
    "summary": "Variations of gated linear units are tried in the feed-forward sublayers.",
    "publishedAt": "2020-02-12T00:00:00.000Z",
}


@dataclass
class PapersServer:
    """Use as `with PapersServer() as server:`; `asked` holds the paths with queries, `headers` what came along."""

    papers: list[dict[str, Any]] = field(default_factory=lambda: [PRIMER, SWIGLU])
    texts: dict[str, str] = field(default_factory=dict)
    status: int = 200
    silent: threading.Event | None = None  # answers nothing until it is set
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Self:
        script = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                script.asked.append(self.path)
                script.headers.append({name.lower(): value for name, value in self.headers.items()})
                if script.silent is not None:
                    script.silent.wait(60)
                    return
                status, kind, body = script._answer(urlsplit(self.path).path, parse_qs(urlsplit(self.path).query))
                content = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.silent is not None:
            self.silent.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, str, str]:
        if self.status != 200:
            return self.status, "application/json", json.dumps({"error": "out of order"})
        limit = int(query.get("limit", ["50"])[0])
        if path in ("/api/papers/search", "/api/daily_papers"):
            return 200, "application/json", json.dumps([self._entry(paper) for paper in self.papers[:limit]])
        if path.startswith("/api/papers/"):
            found = [paper for paper in self.papers if paper["id"] == path.rsplit("/", 1)[1]]
            return (200, "application/json", json.dumps(found[0])) if found else self._missing()
        if path.startswith("/papers/") and path.endswith(".md"):
            text = self.texts.get(path.rsplit("/", 1)[1].removesuffix(".md"))
            return (200, "text/markdown", text) if text is not None else self._missing()
        return self._missing()

    def _missing(self) -> tuple[int, str, str]:
        return 404, "application/json", json.dumps({"error": "not found"})

    def _entry(self, paper: dict[str, Any]) -> dict[str, Any]:
        """As search and daily papers wrap a paper."""
        return {"paper": paper, "title": paper["title"], "publishedAt": paper["publishedAt"], "numComments": 1}
