"""A scripted server over real HTTP that speaks the OpenAI chat protocol, well or badly.

    with OpenAIServer([calls(("finish", {"summary": "done"}))]) as server:
        model = OpenAIModel(name="test", base_url=server.url, model="scripted")

Replies are given in their order; once they are used up the server answers 500. `OpenAIServer(function)` makes each
reply from the request instead.
"""

from __future__ import annotations

import json
import re
import select
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

HANG_SECONDS = 30.0


@dataclass(frozen=True)
class Request:
    """What a client sent, and when (monotonic seconds); header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at: float


@dataclass(frozen=True)
class Scripted:
    """One reply. `pieces` are sent one by one; `end` is what happens after the last.

    `whole` ends the body as HTTP wants it, `drop` closes the connection in the middle of it, `hang` stays silent until
    the client hangs up. `wait` is in seconds before each piece.
    """

    pieces: Sequence[bytes] | Iterator[bytes] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "text/event-stream"})
    end: Literal["whole", "drop", "hang"] = "whole"
    wait: float = 0.0


DONE = b"data: [DONE]\n\n"
USAGE = {"prompt_tokens": 120, "completion_tokens": 34, "total_tokens": 154}


def event(value: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    """A piece of the streamed reply."""
    return event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "scripted",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            **more,
        }
    )


def usage_chunk() -> bytes:
    """The last piece, when the client asked for usage."""
    return event(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "s",
            "choices": [],
            "usage": USAGE,
        }
    )


def text_pieces(text: str) -> list[bytes]:
    """A text as it streams, word by word."""
    return [chunk({"role": "assistant", "content": ""})] + [
        chunk({"content": word}) for word in re.findall(r"\S+\s*", text)
    ]


def call_pieces(index: int, name: str, arguments: str, call_id: str | None = None, width: int = 5) -> list[bytes]:
    """A call as it streams, its arguments cut every `width` characters, so in the middle of the JSON."""
    cut = [arguments[at : at + width] for at in range(0, len(arguments), width)]
    first = {"index": index, "id": call_id or f"call_{name}_{index}", "type": "function"}
    return [chunk({"tool_calls": [{**first, "function": {"name": name, "arguments": ""}}]})] + [
        chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}) for piece in cut
    ]


def says(text: str, finish: str = "stop", usage: bool = True) -> Scripted:
    """A reply of text alone."""
    return Scripted([*text_pieces(text), chunk({}, finish), *([usage_chunk()] if usage else []), DONE])


def calls(*wanted: tuple[str, dict[str, Any]], text: str = "") -> Scripted:
    """A reply with tool calls, one after another."""
    pieces = text_pieces(text) if text else []
    for index, (name, arguments) in enumerate(wanted):
        pieces += call_pieces(index, name, json.dumps(arguments))
    return Scripted([*pieces, chunk({}, "tool_calls"), usage_chunk(), DONE])


def fails(status: int, message: str = "something went wrong", **headers: str) -> Scripted:
    """An error with a status, as OpenAI words it; `Retry_After="1"` gives the header Retry-After."""
    body = json.dumps({"error": {"message": message, "type": "error", "code": None}}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Scripted([body], status=status, headers={"Content-Type": "application/json", **named})


class OpenAIServer:
    """Serves on 127.0.0.1 until the `with` block ends; `requests` holds what came."""

    def __init__(self, replies: Sequence[Scripted] | Callable[[Request], Scripted]) -> None:
        self._replies = replies
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self.requests: list[Request] = []
        self.hung_up = threading.Event()
        """Set when a client has closed its connection before a reply was whole."""
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                request = Request(
                    self.path, {name.lower(): value for name, value in self.headers.items()}, body, time.monotonic()
                )
                try:
                    script._answer(self, script._next(request))
                except OSError:
                    script.hung_up.set()
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """The base_url for a client."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()

    def _next(self, request: Request) -> Scripted:
        with self._lock:
            self.requests.append(request)
            if callable(self._replies):
                return self._replies(request)
            if len(self.requests) <= len(self._replies):
                return self._replies[len(self.requests) - 1]
            return fails(500, "the script is over", **{"x-should-retry": "false"})

    def _answer(self, handler: BaseHTTPRequestHandler, reply: Scripted) -> None:
        if reply.end == "hang" and not reply.pieces:
            self._hang(handler)
            return
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for piece in reply.pieces:
            if self._closing.wait(reply.wait):
                break
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            handler.wfile.flush()
        match reply.end:
            case "whole":
                handler.wfile.write(b"0\r\n\r\n")
            case "drop":
                handler.wfile.write(b"ff\r\ndata: {")
                handler.close_connection = True
            case "hang":
                self._hang(handler)

    def _hang(self, handler: BaseHTTPRequestHandler) -> None:
        """Stay silent until the client hangs up or the server closes."""
        handler.close_connection = True
        deadline = time.monotonic() + HANG_SECONDS
        while not self._closing.is_set() and time.monotonic() < deadline:
            readable, _, _ = select.select([handler.connection], [], [], 0.02)
            if readable and not handler.connection.recv(1):
                self.hung_up.set()
                return
