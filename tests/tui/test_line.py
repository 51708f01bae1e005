"""The room on a real terminal: leaving, hanging up, sleeping and waking, every size, and terminals that know little."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pyte
import pytest
from conftest import eventually
from room_lab import make_room_lab

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
        kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLORTERM", "COLORFGBG")}
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

    def see(self, words: str, timeout: float = 60) -> str:
        deadline = time.monotonic() + timeout
        while words not in (text := self.text()):
            assert time.monotonic() < deadline, f"{words!r} is not on the screen:\n{text}"
        return text

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
        return now[1049] == now[2004] == now[1004] == now[1000] == b"l" and now[25] == b"h"


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Path]:
    """A lab whose daemon is at work, as far as a room can tell."""
    root = tmp_path / "lab"
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


def test_leaving_gives_the_terminal_back_as_it_was(watched: Path) -> None:
    seat = Seat(room(watched))
    before = termios.tcgetattr(seat.process.child_fd)
    seat.see("Idea number 12")
    assert termios.tcgetattr(seat.process.child_fd) != before
    seat.process.send("q")
    assert seat.end() == 0
    assert seat.is_clean()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_the_room_on_a_clean_terminal(watched: Path, number: signal.Signals) -> None:
    seat = Seat(room(watched))
    seat.see("Idea number 12")
    seat.process.kill(number)
    assert seat.end() == 128 + number
    assert seat.is_clean() and b"Traceback" not in seat.written


def test_the_line_drops_and_the_room_is_gone_within_seconds(watched: Path) -> None:
    seat = Seat(room(watched))
    seat.see("Idea number 12")
    pid = seat.process.pid
    os.close(seat.process.child_fd)  # as a dropped connection does: the far end of the pty is gone

    def ended() -> bool:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)

    eventually(ended, 15, "the end of a room that nobody sees")


def test_a_terminal_that_has_stopped_reading_does_not_keep_the_room_from_ending(watched: Path) -> None:
    seat = Seat(room(watched))
    seat.see("Idea number 12")
    for size in range(60):  # frames that nobody takes: more than the pty holds
        seat.process.setwinsize(30 + size % 10, 100 + size)
        time.sleep(0.05)
    seat.process.kill(signal.SIGTERM)
    deadline = time.monotonic() + 15
    while seat.process.isalive():
        assert time.monotonic() < deadline, "the room waits for its terminal"
        time.sleep(0.1)


def test_a_terminal_that_never_answers_is_painted_all_the_same(watched: Path) -> None:
    seat = Seat(room(watched), answers=False)
    seat.see("Idea number 12")
    seat.process.send("?")
    seat.see("what it does")


def test_it_sleeps_in_the_shell_and_wakes_with_everything_on_the_screen(watched: Path) -> None:
    seat = Seat(["bash", "--norc", "--noprofile", "-i"])
    seat.see("shell>")
    seat.process.sendline(" ".join(f"'{word}'" for word in room(watched)))
    seat.see("Idea number 12")
    seat.process.send("\x1a")
    seat.see("Stopped")
    seat.process.sendline("echo a$((20+3))b")
    seat.see("a23b")
    seat.process.sendline("fg")
    seat.see("Idea number 12")
    seat.process.send("?")
    seat.see("what it does")
    seat.process.send("\x1b")
    seat.see("Idea number 12")
    seat.process.send("q")
    seat.see("shell>")
    seat.process.sendline("echo c$((20+3))d")
    seat.see("c23d")
    seat.process.sendline("exit")
    assert seat.end() == 0


def test_it_can_be_resized_at_any_moment(watched: Path) -> None:
    seat = Seat(room(watched))
    for columns, rows in ((80, 24), (200, 50), (20, 5), (1, 1), (300, 90), (120, 40)):  # the first while it starts
        seat.resize(columns, rows)
        seat.take(0.4)
    text = seat.see("Idea number 12")
    assert all(pane in text for pane in ("slots", "agents", "results", "queue", "best score"))
    seat.resize(80, 24)
    seat.see("╯\n  ? help")
    assert "Traceback" not in seat.text()
    seat.process.send("q")
    assert seat.end() == 0


def test_without_colour_nothing_is_coloured_and_nothing_is_lost(watched: Path) -> None:
    seat = Seat(room(watched), NO_COLOR="1", COLORTERM="truecolor")
    text = seat.see("Idea number 12")
    assert "discarded" in text and "◆" in text
    assert not _colours(seat.written), "an SGR sequence sets a colour"
    seat.process.send("q")
    assert seat.end() == 0


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "true"),
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "screen-256color"}, "256"),
        ({"TERM": "tmux-256color"}, "256"),
        ({"TERM": "xterm"}, "16"),
        ({"TERM": "screen"}, "16"),
    ],
)
def test_each_terminal_gets_the_colours_it_knows(watched: Path, kind: dict[str, str], expected: str) -> None:
    seat = Seat(room(watched), **kind)
    seat.see("Idea number 12")
    assert _colours(seat.written) == {expected}
    seat.process.send("q")
    assert seat.end() == 0


def _colours(written: bytes) -> set[str]:
    """Which kinds of colour stand in the SGR sequences."""
    found = set()
    for codes in re.findall(rb"\x1b\[([\d;]+)m", written):
        numbers = [int(code) for code in codes.split(b";") if code]
        while numbers:
            first = numbers.pop(0)
            if first in (38, 48):
                found.add("true" if numbers[0] == 2 else "256")
                del numbers[: 4 if numbers[0] == 2 else 2]
            elif 30 <= first <= 37 or 40 <= first <= 47 or 90 <= first <= 97 or 100 <= first <= 107:
                found.add("16")
    return found


def test_a_light_terminal_gets_dark_letters(watched: Path) -> None:
    seat = Seat(room(watched), COLORTERM="truecolor", COLORFGBG="0;15")
    seat.see("Idea number 12")
    assert b"48;2;251;251;250" in seat.written and b"48;2;16;19;23" not in seat.written


def test_a_terminal_without_utf_8_gets_ascii_of_the_same_width(watched: Path) -> None:
    seat = Seat(room(watched), LC_ALL="C", LANG="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    text = seat.see("Idea number 12")
    assert seat.written.isascii()
    frame = next(line for line in text.splitlines() if "3 results" in line)
    assert frame.endswith("+") and len(frame.rstrip()) == 120


def commands(root: Path) -> int:
    with sqlite3.connect(root / "runs.db") as plain:
        return int(plain.execute("SELECT count(*) FROM commands").fetchone()[0])


def test_a_room_that_only_watches_refuses_every_change_with_a_sentence(watched: Path) -> None:
    seat = Seat(room(watched, "--read-only"))
    seat.see("Idea number 12")
    for key in ("P", "r", "x", "K", "+", "m", "S"):
        seat.process.send(key)
        seat.see("This room only watches")
        seat.process.send("\x1b")
    seat.process.send(":kill 3\r")
    seat.see("kill would change the lab")
    assert commands(watched) == 0
    seat.process.send("d")
    seat.see("LEARNING_RATE")
    seat.process.send("\x1bq")


def test_an_order_says_who_gave_it(watched: Path) -> None:
    seat = Seat(room(watched), LOGNAME="ada")
    seat.see("Idea number 12")
    seat.process.send("P")
    eventually(lambda: commands(watched), 20, "the order")
    with sqlite3.connect(watched / "runs.db") as plain:
        (actor,) = plain.execute("SELECT actor FROM commands").fetchone()
    assert re.fullmatch(r"ada@\S+", actor)
    seat.process.send("q")


def test_watching_needs_a_lab(tmp_path: Path) -> None:
    seat = Seat(room(tmp_path / "none", "--read-only"), columns=200)
    seat.see("There is nothing to watch")
    assert seat.end() == 2


def test_a_size_of_nothing_is_no_reason_to_fall(watched: Path) -> None:
    seat = Seat(room(watched))
    fcntl.ioctl(seat.process.child_fd, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    seat.take(1.5)
    seat.resize(120, 40)
    seat.see("Idea number 12")
