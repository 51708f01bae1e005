"""A webhook over real HTTP that answers as it is told: statuses in order, the last one from then on."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SILENCE = 0
"""In place of a status: no answer at all."""


@dataclass
class Hook:
    """`answers` are statuses, or statuses with headers."""

    answers: list[int | tuple[int, dict[str, str]]] = field(default_factory=lambda: [204])
    bodies: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def taken(self) -> list[str]:
        return [body["text"] for body in self.bodies]


@contextmanager
def hook_server(hook: Hook) -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            if status == SILENCE:
                hook.over.wait(30)
                return
            if status < 300:
                hook.bodies.append(body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hook.url = f"http://127.0.0.1:{server.server_address[1]}/services/s3cret"
    try:
        yield hook
    finally:
        hook.over.set()
        server.shutdown()
        server.server_close()
