"""`y`: the clipboard's sequence for every kind of terminal, the file beside it, and the bytes on a real terminal."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tui.driving import room, until
from tests.tui.room_lab import make_empty_lab, make_room_lab
from tests.tui.seat import Seat, held_lab
from tests.tui.seat import room as room_words
from tui.clipboard import MOST_BASE64, osc52


def unwrapped_by_tmux(sequence: str) -> str:
    """What tmux hands on to the terminal around it."""
    [inner] = re.findall("\x1bPtmux;(.*?)\x1b\\\\", sequence.replace("\x1b\x1b", "\x00"), re.DOTALL)
    return str(inner).replace("\x00", "\x1b")


def carried(sequence: str) -> str:
    [coded] = re.findall("\x1b]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    return base64.b64decode(coded).decode()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=2000))
def test_every_text_comes_through_every_wrapper_and_nothing_of_it_is_an_escape(text: str) -> None:
    plain = osc52(text, {"TERM": "xterm-256color"})
    in_tmux = osc52(text, {"TERM": "tmux-256color", "TMUX": "/tmp/tmux,1,0"})
    in_screen = osc52(text, {"TERM": "screen", "STY": "1.tty"})
    assert plain is not None and in_tmux is not None and in_screen is not None
    assert carried(plain) == text and plain.count("\x1b") == 1
    assert in_tmux.startswith(plain) and carried(unwrapped_by_tmux(in_tmux)) == text
    pieces = re.findall("\x1bP(.*?)\x1b\\\\", in_screen, re.DOTALL)
    assert carried("".join(pieces)) == text and all(len(piece) <= 768 for piece in pieces)


def test_what_a_terminal_would_cut_is_not_sent() -> None:
    most = MOST_BASE64 // 4 * 3
    assert osc52("x" * most, {}) is not None and osc52("x" * (most + 1), {}) is None


async def test_y_copies_the_id_then_the_path_then_the_diff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    copied = tmp_path / "state" / "autolab" / "copied"
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("3", "G", "k", "y")
        await until(pilot, lambda: copied.exists() and copied.read_text() == "1")
        assert copied.stat().st_mode & 0o077 == 0
        notice = list(pilot.app._notifications)[-1].message
        assert "copied id 1" in notice and str(copied) in notice and "y again: the path of run" in notice
        await pilot.press("y")
        await until(pilot, lambda: copied.read_text().startswith(str(lab.root)))
        assert Path(copied.read_text()).parent == lab.run_directory(1).parent
        await pilot.press("y")
        await until(pilot, lambda: "+LEARNING_RATE = 3e-3" in copied.read_text())
        await pilot.press("k", "y")
        await until(pilot, lambda: copied.read_text() == "2")


async def test_the_diff_comes_first_where_it_is_shown_and_the_path_where_a_log_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    copied = tmp_path / "state" / "autolab" / "copied"
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("3", "G", "k", "d")
        await pilot.pause(0.3)
        await pilot.press("y")
        await until(pilot, lambda: copied.exists() and "+LEARNING_RATE = 3e-3" in copied.read_text())
        await pilot.press("escape", "2", "g", "y")
        await until(pilot, lambda: copied.read_text() == str(lab.agent_log("researcher")))


async def test_where_nothing_is_selected_y_says_so(tmp_path: Path) -> None:
    lab = await make_empty_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("4", "y")
        await until(pilot, lambda: "Nothing is selected" in " ".join(n.message for n in pilot.app._notifications))


def test_the_bytes_reach_a_real_terminal_even_where_no_file_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the directory should be")
    with held_lab(tmp_path / "lab") as root:
        seat = Seat(room_words(root, "--read-only"), TMUX="", STY="", XDG_STATE_HOME=str(tmp_path / "state"))
        seat.see("Idea number 12")
        seat.process.send("3gjy")
        text = seat.see("copied id")
        assert "no file beside it" in text
        assert carried(seat.written.decode(errors="replace")) == re.findall(r"copied id (\d+)", text)[0]
        seat.process.send("q")
        assert seat.end() == 0 and seat.is_clean()
