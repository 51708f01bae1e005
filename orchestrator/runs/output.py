"""What a run prints, kept within bounds: the head as it comes, the tail at the end, and how much fell out between."""

from __future__ import annotations

import os
from pathlib import Path

MOST_BYTES_A_LOOK = 8 * 2**20
"""Who prints faster than this between two looks waits on its pipe, so that a flood cannot eat the supervisor's time."""

PIECE = 2**18
LAST_BYTES = 2**14


class CappedLog:
    """An append-only log file of at most about `limit` bytes."""

    def __init__(self, path: Path, limit: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(path, flags, 0o644)
        self._head = limit * 3 // 4
        self._room = limit - self._head
        self._written = 0
        self._tail = bytearray()
        self._dropped = 0
        self.last = b""  # the last few KiB, for the reason of a crash

    def feed(self, piece: bytes) -> None:
        self.last = (self.last + piece)[-LAST_BYTES:]
        if self._written < self._head:
            now, piece = piece[: self._head - self._written], piece[self._head - self._written :]
            self._write(now)
            self._written += len(now)
        if not piece:
            return
        self._tail += piece
        if len(self._tail) > 2 * self._room:
            if not self._dropped:
                self._write(
                    b"\n[... much output: from here on only the last of it is kept, and shown at the end ...]\n"
                )
            surplus = len(self._tail) - self._room
            self._dropped += surplus
            del self._tail[:surplus]

    def forget_last(self) -> None:
        """Another process prints from here on."""
        self.last = b""

    def close(self) -> None:
        """Write the tail, after a line that says how much was left out."""
        if self._dropped:
            surplus = max(0, len(self._tail) - self._room)
            del self._tail[:surplus]
            self._write(f"\n[... {self._dropped + surplus} bytes left out here ...]\n".encode())
        self._write(bytes(self._tail))
        self._tail.clear()
        os.close(self._descriptor)

    def _write(self, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError:  # a full disk costs the log, not the run
                return


class Intake:
    """The reading end of a process's output, emptied into the log a bounded amount at a time."""

    def __init__(self, descriptor: int, log: CappedLog) -> None:
        self._descriptor = descriptor
        self._log = log
        self._open = True
        self._left = MOST_BYTES_A_LOOK

    def sources(self) -> list[int]:
        """What to wait for: nothing when all is read, or when enough is read for now."""
        return [self._descriptor] if self._open and self._left > 0 else []

    def renew(self) -> None:
        """A new look begins."""
        self._left = MOST_BYTES_A_LOOK

    def take_all(self) -> None:
        """Take in what is in the pipe, within the bound of a look; nobody is waited for."""
        while self._open and self._left > 0:
            try:
                piece = os.read(self._descriptor, PIECE)
            except BlockingIOError:
                return
            self._open = bool(piece)
            self._left -= len(piece)
            self._log.feed(piece)
