"""A person's place before a real terminal with the control room in it, and a lab that looks as if it were at work."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte

from tests.tui.room_lab import make_room_lab

HOLD = """
import sys, json, os, time
from pathlib import Path
from orchestrator.lab import Lab, LabLock
from orchestrator.store.records import utc_now
lab = Lab(Path(sys.argv[1]))
lock = LabLock(lab)
lock.acquire()
lab.identity_file.write_text(json.dumps({"pid": os.getpid(), "started_at": utc_now(), "mode": "daemon"}))
print("held", flush=True)
sys.stdin.read()
"""
ASK = b"\x1b[6n"


class Seat:
    """A person's terminal of a given kind, with a program in it; it answers where the cursor is, as terminals do."""

    def __init__(self, words: list[str], columns: int = 120, rows: int = 40, answers: bool = True, **kind: str) -> None:
        own = ("NO_COLOR", "COLORTERM", "COLORFGBG", "COLUMNS", "LINES", "SSH_CONNECTION", "AUTOLAB_THEME")
        kept = {name: value for name, value in os.environ.items() if name not in own}
        environment = {**kept, "TERM": "xterm-256color", "PS1": "shell> ", **kind}
        self.process = pexpect.spawn(words[0], words[1:], dimensions=(rows, columns), env=environment, timeout=5)
        self.answers = answers
        self.written = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)

    def take(self, seconds: float = 0.1) -> None:
        """Read what comes for so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                piece = self.process.read_nonblocking(65536, timeout=0.05)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                return
            self.written += piece
            self._stream.feed(piece)
            for _ in range(piece.count(ASK) if self.answers else 0):
                self.process.send("\x1b[1;1R")

    def text(self) -> str:
        self.take()
        return "\n".join(self._screen.display)

    def see(self, words: str, timeout: float = 25, without: str = "\0") -> str:
        """Wait until the words are there, and those of `without` are not."""
        deadline = time.monotonic() + timeout
        while words not in (text := self.text()) or without in text:
            assert time.monotonic() < deadline, f"{words!r} is not on the screen, or {without!r} is:\n{text}"
        return self.text()  # a frame may come in pieces

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)
        self.process.setwinsize(rows, columns)

    def end(self, timeout: float = 20) -> int | None:
        deadline = time.monotonic() + timeout
        while self.process.isalive():
            self.take()
            assert time.monotonic() < deadline, "the program does not end"
        self.take()
        return self.process.exitstatus

    def is_clean(self) -> bool:
        """Every mode that was switched on is off again, the last word the person's own screen and a cursor."""
        switched = re.findall(rb"\x1b\[\?(\d+)([hl])", self.written)
        now = {int(mode): state for mode, state in switched}
        mouse = now.get(1000, b"l")  # GNU screen is not asked for it
        return now[1049] == now[2004] == now[1004] == mouse == b"l" and now[25] == b"h"


@contextmanager
def held_lab(root: Path) -> Iterator[Path]:
    """A lab whose daemon is at work, as far as a room can tell."""
    asyncio.run(make_room_lab(root))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    yield root
    holder.stdin.close()
    holder.wait(20)
    holder.stdout.close()


def room(root: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "tui.main", *options, str(root)]
