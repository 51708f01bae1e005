"""`autolab-tui` in a real terminal: opened, left, its lab's daemon killed in the middle of a run, opened again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pexpect
import pyte

from orchestrator.runs.identity import marked_processes
from tests.command_line import autolab
from tests.conftest import eventually, set_key


class Terminal:
    """A program on a pty, and the screen that a person would see."""

    def __init__(self, *words: str, columns: int = 80, rows: int = 24) -> None:
        environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": str(rows)}
        self._process = pexpect.spawn(
            sys.executable, ["-m", "tui.main", *words], dimensions=(rows, columns), env=environment, timeout=5
        )
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)

    def text(self) -> str:
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            while True:
                self._stream.feed(self._process.read_nonblocking(65536, timeout=0.1))
        return "\n".join(self._screen.display)

    def see(self, words: str, timeout: float = 60) -> str:
        deadline = time.monotonic() + timeout
        while words not in (text := self.text()):
            assert time.monotonic() < deadline, f"{words!r} is not on the screen:\n{text}"
        return text

    def see_no_more(self, words: str, timeout: float = 20) -> None:
        deadline = time.monotonic() + timeout
        while words in (text := self.text()):
            assert time.monotonic() < deadline, f"{words!r} is still on the screen:\n{text}"

    def press(self, keys: str) -> None:
        self._process.send(keys)

    def hang_up(self) -> None:
        self._process.kill(signal.SIGHUP)

    def end(self, timeout: float = 20) -> int | None:
        """Wait until the program is gone; its exit status."""
        deadline = time.monotonic() + timeout
        while self._process.isalive():
            self.text()
            assert time.monotonic() < deadline, "the program does not end"
        self._process.close()
        status: int | None = self._process.exitstatus
        return status


def scalar(root: Path, sql: str) -> int:
    with contextlib.closing(sqlite3.connect(root / "runs.db")) as plain:
        return int(plain.execute(sql).fetchone()[0] or 0)


def daemon_of(root: Path) -> int | None:
    pid: int | None = json.loads(autolab("status", "--json", str(root)).stdout)["pid"]
    return pid


def test_leaving_and_coming_back_with_the_daemon_killed_in_between(lab: Path) -> None:
    set_key(lab, "budget_seconds", "3")
    room = Terminal(str(lab))
    room.see("at work")
    eventually(lambda: scalar(lab, "SELECT count(*) FROM runs WHERE outcome = 'scored'"), 90, "a finished run")
    room.see("start")
    room.press("q")
    assert room.end() == 0

    pid = daemon_of(lab)
    assert pid is not None, "leaving the room does not stop the lab"
    underway = int(str(eventually(lambda: scalar(lab, "SELECT max(id) FROM runs WHERE outcome IS NULL"), 60, "a run")))
    os.kill(pid, signal.SIGKILL)
    result = lab / ".autolab" / "runs" / str(underway) / "result.json"
    eventually(result.exists, 90, "the result of the run that was under way")
    assert daemon_of(lab) is None

    again = Terminal(str(lab))
    again.see("at work")
    sql = f"SELECT count(*) FROM runs WHERE id = {underway} AND outcome = 'scored'"
    eventually(lambda: scalar(lab, sql), 60, "the adopted result")
    again.press("q")
    assert again.end() == 0
    assert autolab("stop", "--now", str(lab)).returncode == 0
    assert not [number for number in range(1, 20) if marked_processes(f"{lab}#{number}")]


def test_without_a_lab_one_is_made_behind_a_progress_bar(tmp_path: Path, corpus: Path) -> None:
    root = tmp_path / "new"
    room = Terminal(str(root), columns=120, rows=40)
    try:
        room.see("1 slots")  # "at work" may be said of a neighbour before
        assert (root / "train.py").exists()
        room.press("?")
        room.see("what it does")
        room.press("\x1b")
        room.see_no_more("what it does")
        room.press("q")
        assert room.end() == 0
        assert daemon_of(root) is not None
    finally:
        autolab("stop", "--now", str(root))


def test_a_dropped_line_ends_the_room_and_not_the_lab(lab: Path) -> None:
    room = Terminal(str(lab))
    room.see("1 slots")  # "at work" may be said of a neighbour before
    room.hang_up()
    room.end()
    assert daemon_of(lab) is not None
    assert autolab("stop", "--now", str(lab)).returncode == 0


def test_a_broken_lab_is_told_in_one_sentence_on_a_clean_terminal(lab: Path) -> None:
    (lab / "autolab.toml").write_text("[lab\n")
    room = Terminal(str(lab), columns=200)
    text = room.see("not valid TOML")
    assert "Traceback" not in text
    assert room.end() == 1
