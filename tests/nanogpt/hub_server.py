"""A small HTTP server that speaks as much of the Hub as fetching a data set takes, and can break off in the middle."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REVISION = "c0ffee" + "0" * 34


@dataclass
class Hub:
    """What the server offers and how it behaves."""

    files: dict[str, bytes]
    break_after: int | None = None  # bytes of the next answer that carries a file; then the line goes dead
    hang: threading.Event | None = None  # instead of breaking off, wait for this
    knows_ranges: bool = True
    wrong_checksum: bool = False
    status: int = 200
    ranges: list[str] = field(default_factory=list)  # asked for, in order
    sent: int = 0  # bytes of files

    @classmethod
    def of(cls, shards: Path) -> Hub:
        return cls({path.name: path.read_bytes() for path in sorted(shards.glob("*.parquet"))})

    def serve(self) -> ThreadingHTTPServer:
        """Start; the caller shuts it down."""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                if hub.status != 200:
                    self.send_response(hub.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif path.startswith("/api/datasets/"):
                    self._whole(json.dumps(hub.listing()).encode())
                elif path.rsplit("/", 1)[1] not in hub.files:  # the client asks for more than files
                    self.send_error(404)
                else:
                    self._file(hub.files[path.rsplit("/", 1)[1]])

            def _whole(self, content: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def _file(self, content: bytes) -> None:
                asked = self.headers.get("Range", "")
                hub.ranges.append(asked)
                start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and hub.knows_ranges else 0
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                stop = len(content) if hub.break_after is None else min(len(content), start + hub.break_after)
                self.wfile.write(content[start:stop])
                self.wfile.flush()
                hub.sent += stop - start
                if stop < len(content):
                    hub.break_after = None
                    if hub.hang is not None:
                        hub.hang.wait(60)
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def listing(self) -> dict[str, object]:
        """The answer of `/api/datasets/NAME?blobs=true`."""
        return {
            "id": "karpathy/climbmix-400b-shuffle",
            "sha": REVISION,
            "siblings": [{"rfilename": "README.md", "size": 1, "blobId": "0"}]
            + [
                {
                    "rfilename": name,
                    "size": len(content),
                    "blobId": "0",
                    "lfs": {"size": len(content), "pointerSize": 130, "sha256": self._checksum(content)},
                }
                for name, content in self.files.items()
            ],
        }

    def _checksum(self, content: bytes) -> str:
        return "0" * 64 if self.wrong_checksum else hashlib.sha256(content).hexdigest()
