"""What is told when a room is opened on a lab that rests."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.lab import Lab
from orchestrator.store.reader import Reader
from orchestrator.store.records import AT_WORK
from orchestrator.store.writer import Writer
from tests.tui.driving import notices, on, screen_text, until
from tests.tui.room_lab import make_room_lab
from tui.app import ControlRoom
from tui.main import farewell
from tui.opening import stopped_by
from tui.screens.dashboard import Dashboard
from tui.screens.setup import Setup


async def stopped_lab(root: Path) -> Lab:
    lab = await make_room_lab(root)
    async with Writer(lab.database) as store:
        await store.event("lab", "autolab", AT_WORK)
        await store.post_command("stop", {"now": True}, "ada@box")
        await store.answer_command((await store.waiting_commands())[0], True, "stopped")
    return lab


async def test_a_lab_that_a_person_has_stopped_is_started_and_who_stopped_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def at_once(setup: Setup) -> None:
        """The daemon's start, which takes seconds, is another test's."""
        setup.dismiss("")

    monkeypatch.setattr(Setup, "_work", at_once)
    lab = await stopped_lab(tmp_path / "lab")
    async with ControlRoom(lab).run_test(size=(120, 40)) as pilot:
        await on(pilot, Dashboard)
        await until(pilot, lambda: "ada@box stopped this lab" in notices(pilot))
        assert "opening it has started it again. `:stop` lets it rest" in notices(pilot)
    async with Writer(lab.database) as store:
        await store.event("lab", "autolab", AT_WORK)
    assert await stopped_by(lab) is None, "it went to work again: a daemon that ends now has died"
    async with ControlRoom(lab, read_only=True).run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "NOT RUNNING" in screen_text(pilot))
        assert not notices(pilot)


async def test_who_leaves_a_lab_that_comes_to_its_end_is_told_so(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    assert (await farewell(lab)).startswith("The lab goes on")
    async with Reader(lab.database) as reader:
        await reader.post_command("stop", {"now": False}, "ada@box")
    assert (await farewell(lab)).startswith("The lab comes to its end")
