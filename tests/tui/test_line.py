"""The room on a real terminal: leaving, hanging up, sleeping and waking, every size, and terminals that know little."""

from __future__ import annotations

import fcntl
import os
import re
import signal
import sqlite3
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import eventually
from tests.tui.seat import Seat, held_lab, room
from tui.terminal import takes_mouse


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Path]:
    with held_lab(tmp_path / "lab") as root:
        yield root


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


def test_a_size_of_nothing_is_no_reason_to_fall(watched: Path) -> None:
    seat = Seat(room(watched))
    fcntl.ioctl(seat.process.child_fd, termios.TIOCSWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    seat.take(1.5)
    seat.resize(120, 40)
    seat.see("Idea number 12")


def test_thousands_of_results_are_walked_through_by_a_window(watched: Path) -> None:
    with sqlite3.connect(watched / "runs.db") as plain:
        columns = [row[1] for row in plain.execute("PRAGMA table_info(experiments)")]
        values = ", ".join({"id": "1000 + n", "title": "'Row ' || n"}.get(name, name) for name in columns)
        plain.execute(
            "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 3000)"
            f" INSERT INTO experiments SELECT {values} FROM experiments, many WHERE id = 3"
        )
    seat = Seat(room(watched))
    seat.see("Row 3000")
    assert "3 results 3014" in seat.text()
    seat.process.send("G")
    seat.see("Idea number 1 ")
    assert "Row 3000" not in seat.text() and "▌     0" in seat.text()
    seat.process.send("k" * 20)
    seat.see("Row 7 ")
    seat.process.send("d")
    assert "1007  Row 7" in seat.see("LEARNING_RATE = 3e-3")
    seat.process.send("\x1b")
    seat.see("3 results")
    seat.process.send("g")
    seat.see("Row 3000")


def test_keys_that_arrive_at_once_count_in_the_order_in_which_they_were_typed(watched: Path) -> None:
    """A slow line hands over many in one piece, also those for a window that the first of them opens."""
    seat = Seat(room(watched))
    seat.see("Idea number 12")
    seat.process.send(":nonsense one\r")
    seat.see("There is no command `nonsense`")
    seat.process.send("\x1b")
    seat.see("? help")
    seat.process.send("/Idea number 7\r")
    seat.see("/Idea number 7 1 of")
    seat.process.send("\x1b")
    seat.see("Idea number 12")
    seat.process.send("3/Idea number 7\r\r")  # what is opened is what the filter leaves
    seat.see("state        ! crashed")
    seat.see("  7  Idea number 7")
    seat.process.send("\x1b\x1b")
    seat.see("Idea number 12")
    seat.process.send("?" + "j" * 30 + "k" * 29)
    seat.see("show every key and command", without="what it does")  # a line further: only the heading is gone
    seat.process.send("\x1b")
    seat.see("3 results")
    seat.process.send("aWider\tit may\thelp")
    seat.see("source       help")
    assert "title        Wider" in seat.text() and "hypothesis   it may" in seat.text()
    seat.process.send("\x1b")
    seat.see("3 results")
    seat.process.send(":")
    seat.see("tab completes, up goes back")
    seat.process.send("abc\x7f\x7fxy")
    seat.see(": axy")
    seat.process.send("\x15one\x15kil\t")
    seat.see(": kill")
    seat.process.send("\x15nonsense\r")
    seat.see("There is no command `nonsense`")
    seat.process.send("\x1b")
    seat.see("? help")
    seat.process.send(":status\rw\x1b")  # the window comes when a process has ended: w and esc are for it
    seat.see("3 results")
    seat.process.send("1gxn:xyz")  # a question comes when the store was read, and n answers it
    seat.see(": xyz")
    seat.process.send("\x1b")
    seat.see("3 results")
    seat.process.send("q")
    assert seat.end() == 0


def test_gnu_screen_is_not_asked_for_the_mouse_and_the_room_leaves_nothing_there(watched: Path) -> None:
    """It keeps a lone escape while a program asks for the mouse, and has no second screen to go back from."""
    seat = Seat(room(watched), STY="1.tty", TERM="screen")
    seat.see("Idea number 12")
    seat.process.send("q")
    assert seat.end() == 0 and seat.is_clean()
    assert b"\x1b[?1000h" not in seat.written and seat.written.rindex(b"\x1b[2J") < seat.written.rindex(b"\x1b[?1049l")
    assert takes_mouse({"TERM": "xterm"}) and takes_mouse({"STY": "1.tty", "TERM": "tmux-256color"})
