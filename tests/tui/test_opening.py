"""What becomes of a lab that rests when a room is opened on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.lab import Lab
from orchestrator.store.records import AT_WORK
from orchestrator.store.writer import Writer
from tests.tui.driving import on, screen_text, until
from tests.tui.room_lab import make_room_lab
from tui.app import ControlRoom
from tui.opening import stopped_by
from tui.screens.dashboard import Dashboard
from tui.screens.dialogs import Confirm
from tui.screens.setup import Setup


async def stopped_lab(root: Path) -> Lab:
    lab = await make_room_lab(root)
    async with Writer(lab.database) as store:
        await store.event("lab", "autolab", AT_WORK)
        await store.post_command("stop", {"now": True}, "ada@box")
        await store.answer_command((await store.waiting_commands())[0], True, "stopped")
    return lab


async def test_a_lab_that_a_person_has_stopped_is_looked_at_without_being_started(tmp_path: Path) -> None:
    app = ControlRoom(await stopped_lab(tmp_path / "lab"))
    async with app.run_test(size=(120, 40)) as pilot:
        await on(pilot, Confirm)
        await until(pilot, lambda: "ada@box stopped this lab" in screen_text(pilot))
        assert "ago. Start it again?" in screen_text(pilot)
        await pilot.press("enter")  # the focus is on what changes nothing
        await on(pilot, Dashboard)
        await until(pilot, lambda: "NOT RUNNING: S starts it" in screen_text(pilot))


async def test_a_yes_starts_it_and_a_daemon_that_died_is_started_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(setup: Setup) -> None:
        pass

    monkeypatch.setattr(Setup, "_work", never)
    lab = await stopped_lab(tmp_path / "lab")
    async with ControlRoom(lab).run_test(size=(120, 40)) as pilot:
        await on(pilot, Confirm)
        await pilot.press("y")
        await on(pilot, Setup)
    async with Writer(lab.database) as store:
        await store.event("lab", "autolab", AT_WORK)
    assert await stopped_by(lab) is None
    async with ControlRoom(lab).run_test(size=(120, 40)) as pilot:
        await on(pilot, Setup)
