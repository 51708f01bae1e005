"""A program on a real pty behind a line of a given rate and delay, with a terminal at the far end that answers.

Between the pty and the line stands a buffer, as sshd and the network have one: what the program writes is taken from it
at once and waits there. So a slow line shows only in how long the terminal takes to answer.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import pyte

BUFFER = 512 * 1024
SLICE_SECONDS = 0.01
_QUESTION = re.compile(rb"\x1b\[6n|\x1b\[\?2026\$p")
_ANSWERS = {b"\x1b[6n": b"\x1b[1;1R", b"\x1b[?2026$p": b"\x1b[?2026;2$y"}


@dataclass(frozen=True, slots=True)
class Line:
    """`rate` in bytes a second (None: as fast as it goes); `delay` in seconds, each way."""

    name: str
    rate: int | None = None
    delay: float = 0.0


class PtyProgram:
    """The program, and a thread that carries bytes both ways and notes when each came to the terminal."""

    def __init__(self, words: Sequence[str], line: Line, columns: int, rows: int, environment: dict[str, str]) -> None:
        self.columns, self.rows = columns, rows
        self.chunks: list[tuple[float, bytes]] = []
        self._line = line
        self._order = count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            words,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**kept, **terminal, **environment},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        self._wake, self._woken = os.pipe()
        self._ended = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    # -- the person

    def press(self, keys: str) -> float:
        """Type; the moment at which the person did."""
        at = time.monotonic()
        self._later(at + self._line.delay, lambda: self._type(keys.encode()))
        return at

    def end(self) -> None:
        """Hang up, and wait for the program."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGHUP)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._ended = True
        os.write(self._woken, b".")
        self._thread.join()
        for descriptor in (self._master, self._wake, self._woken):
            os.close(descriptor)

    def bytes_since(self, at: float) -> int:
        return sum(len(chunk) for then, chunk in list(self.chunks) if then >= at)

    # -- the line

    def _type(self, keys: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._master, keys)

    def _later(self, at: float, act: Callable[[], None]) -> None:
        with self._lock:
            heapq.heappush(self._due, (at, next(self._order), act))
        os.write(self._woken, b".")

    def _carry(self) -> None:
        backlog, free_at, seen = bytearray(), 0.0, b""

        def deliver(piece: bytes) -> None:
            nonlocal seen
            self.chunks.append((time.monotonic(), piece))
            text, seen = seen + piece, b""
            for found in _QUESTION.finditer(text):
                answer = _ANSWERS[found.group()]
                self._later(time.monotonic() + self._line.delay, lambda answer=answer: self._type(answer))  # type: ignore[misc]
            if b"\x1b" in text[-8:]:  # a question may be cut
                cut = text[text.rindex(b"\x1b") :]
                seen = b"" if _QUESTION.match(cut) else cut

        open_ = True
        while not self._ended:
            now = time.monotonic()
            if backlog and now >= free_at:
                rate = self._line.rate
                size = len(backlog) if rate is None else max(1, int(rate * SLICE_SECONDS))
                piece = bytes(backlog[:size])
                del backlog[:size]
                free_at = now if rate is None else max(free_at, now - SLICE_SECONDS) + len(piece) / rate
                arrives = free_at + self._line.delay
                if rate is None and not self._line.delay:
                    deliver(piece)
                else:
                    self._later(arrives, lambda piece=piece: deliver(piece))  # type: ignore[misc]
            with self._lock:
                acts = []
                while self._due and self._due[0][0] <= now:
                    acts.append(heapq.heappop(self._due)[2])
                next_at = self._due[0][0] if self._due else now + 0.2
            for act in acts:
                act()
            if acts:
                continue
            wait = min(next_at, free_at if backlog else next_at) - time.monotonic()
            watched = [self._wake, *([self._master] if open_ and len(backlog) < BUFFER else [])]
            ready, _, _ = select.select(watched, [], [], max(0.0, wait))
            if self._wake in ready:
                os.read(self._wake, 4096)
            if self._master in ready:
                try:
                    backlog += os.read(self._master, 65536)
                except OSError:
                    open_ = False


class Replay:
    """What the terminal showed after each chunk, reckoned afterwards so that it costs the measurement nothing."""

    def __init__(self, columns: int, rows: int) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)

    def feed(self, chunk: bytes) -> None:
        self._stream.feed(chunk)

    def text(self) -> str:
        return "\n".join(self.screen.display)

    def row_with_own_background(self, x: int, first: int, last: int) -> str | None:
        """The text of the one row from `first` to `last` whose background at `x` is its own: a table's cursor."""
        colours = [self.screen.buffer[y][x].bg for y in range(first, last)]
        own = [y for y, colour in enumerate(colours, first) if colours.count(colour) == 1]
        return self.screen.display[own[0]] if len(own) == 1 else None
