"""What a run prints, kept within bounds: the head as it comes, the tail at the end, and how much fell out between."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path


class CappedLog:
    """An append-only log file of at most about `limit` bytes."""

    def __init__(self, path: Path, limit: int) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._head = limit * 3 // 4
        self._room = limit - self._head
        self._written = 0
        self._tail: deque[bytes] = deque()
        self._kept = 0
        self._dropped = 0
        self.last = b""  # the last few KiB, for the reason of a crash

    def feed(self, piece: bytes) -> None:
        self.last = (self.last + piece)[-16384:]
        if self._written < self._head:
            now, piece = piece[: self._head - self._written], piece[self._head - self._written :]
            self._write(now)
            self._written += len(now)
        if piece:
            self._tail.append(piece)
            self._kept += len(piece)
            while self._kept - len(self._tail[0]) >= self._room:
                gone = self._tail.popleft()
                self._kept -= len(gone)
                self._dropped += len(gone)

    def close(self) -> None:
        """Write the tail, after a line that says how much was left out."""
        if self._dropped:
            self._write(f"\n[... {self._dropped} bytes left out here ...]\n".encode())
        for piece in self._tail:
            self._write(piece)
        self._tail.clear()
        os.close(self._descriptor)

    def _write(self, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            try:
                view = view[os.write(self._descriptor, view) :]
            except OSError:  # a full disk costs the log, not the run
                return
