"""Notices lie over a page for a moment: the newest is true, none follows onto another page, and paths stay whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets._toast import Toast

from tests.tui.driving import notices, on, room, screen_text, until
from tests.tui.room_lab import make_room_lab
from tui.app import ControlRoom
from tui.notices import path_width, subject
from tui.screens.dashboard import Dashboard
from tui.screens.experiment import ExperimentScreen


@pytest.mark.parametrize(
    ("older", "newer", "same"),
    [
        ("experiment 1 is reviewed and accepted", "Experiment 1 is to be reviewed again", True),
        ("experiment 1 is dropped", "experiment 12 is dropped", False),
        ("run 28 of experiment 15 is paused", "run 28 of experiment 15 is resumed", True),
        ("the queue is paused; runs under way go on", "the pause of the queue is undone: the queue is resumed", True),
        ("researcher is paused after the reply at hand", "researcher goes on", True),
        ("3 agents of solo are paused after the reply at hand", "3 agents of solo go on", True),
        ("researcher goes on", "planner goes on", False),
    ],
)
def test_two_notices_are_of_one_subject_or_not(older: str, newer: str, same: bool) -> None:
    assert subject(older) is not None and (subject(older) == subject(newer)) is same


def test_a_notice_without_a_subject_and_one_without_a_path() -> None:
    assert subject("starting the daemon") is None
    assert path_width("half a loaf and/or none") == 0
    assert path_width("written to\n/my work/a.patch") == len("/my work/a.patch")
    assert path_width("the story is in /tmp/daemon.log, whole") == len("/tmp/daemon.log,")


async def test_the_newest_notice_takes_the_place_of_what_it_makes_untrue(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (120, 40)) as pilot:
        for words in ("experiment 1 is reviewed and accepted", "something else", "experiment 1 is to be reviewed"):
            pilot.app.notify(words)
        await pilot.pause()
        assert notices(pilot).split() == ["something", "else", "experiment", "1", "is", "to", "be", "reviewed"]


async def test_a_notice_does_not_follow_onto_the_next_page(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (120, 40)) as pilot:
        pilot.app.notify("the queue is paused", timeout=60)
        await pilot.press("3", "j")
        assert "the queue is paused" in notices(pilot), "the page is the same"
        await pilot.press("question_mark", "escape")
        pilot.app.notify("the queue is paused", timeout=60)
        await pilot.press("enter")
        await on(pilot, ExperimentScreen)
        await until(pilot, lambda: not notices(pilot))


async def test_a_path_stands_on_one_line(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    path = "/home/ada/my work/lab-14-a-wider-mlp-with-a-learning-rate-of-0-031.patch"
    app = ControlRoom(lab, read_only=True)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await on(pilot, Dashboard)
        pilot.app.notify(f"written to\n{path}", markup=False, timeout=60)
        await until(pilot, lambda: path in screen_text(pilot))
        pilot.app.notify("a sentence", timeout=60)
        await until(pilot, lambda: len(pilot.app.screen.query(Toast)) == 2)
        await pilot.pause()
        assert 0 < pilot.app.screen.query(Toast).last().region.width <= 40, "a sentence is no wider than before"


async def test_no_word_of_a_notice_is_cut_off_whatever_its_length(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    app = ControlRoom(lab, read_only=True)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await on(pilot, Dashboard)
        for length in range(32, 41):
            app.notify(f"{'a word or two and some more of them so'[: length - 4]} end{length}", timeout=60)
            await until(pilot, lambda length=length: f"end{length}" in screen_text(pilot))
            app.clear_notifications()
            await pilot.pause()
