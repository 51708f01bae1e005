"""What a person reads on each screen, at three sizes, kept as text: a change is seen and agreed to, never a surprise.

`pytest -n 0 tests/tui/test_looks.py --snapshot-update` takes them anew; `git diff` then shows what has changed.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual.pilot import Pilot

from orchestrator.lab import Lab, LabLock
from tests.tui.driving import say_who, screen_text
from tests.tui.lab_maker import make_lab
from tui import app, pages
from tui.app import ControlRoom

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
SIZES = ((80, 24), (120, 40), (200, 50))
SCREENS: dict[str, tuple[str, ...]] = {
    "dashboard": (),
    "experiment": (":show 1", "enter"),
    "log": ("1", "l"),
    "review": ("b",),
    "transcript": ("2", "enter"),
    "papers": (":papers", "enter"),
    "add": ("a",),
    "settings": (":settings", "enter"),
    "morning": (":morning 24", "enter"),
    "compare": ("C",),
    "help": ("question_mark",),
}


class AsText(SingleFileSnapshotExtension):
    """A file for each screen, that reads as the terminal does."""

    _write_mode = WriteMode.TEXT
    file_extension = "txt"


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for the lab, whose path is always as long; the person and the moment of commits are always the same."""
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
        monkeypatch.setenv(name, NOW.isoformat())
    for module in (app, pages):
        monkeypatch.setattr(module, "who", lambda: "ada@box")
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="") as directory:
        yield Path(directory) / "lab"


async def settled(pilot: Pilot[str]) -> str:
    """The screen once it stays the same."""
    before, same = "", 0
    while same < 3:
        await pilot.pause(0.1)
        now = screen_text(pilot)
        same, before = (same + 1 if now == before else 0), now
    return before


async def go(pilot: Pilot[str], keys: tuple[str, ...]) -> None:
    for key in keys:
        if key.startswith(":"):
            await pilot.press("colon", *("space" if letter == " " else letter for letter in key[1:]))
        else:
            await pilot.press(key)


async def back(pilot: Pilot[str], room: ControlRoom) -> None:
    while room.screen is not room.dashboard:
        await pilot.press("escape")
        await pilot.pause(0.05)
    await pilot.press("3")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_screens_look_as_they_did(size: tuple[int, int], frozen: Path, snapshot: SnapshotAssertion) -> None:
    with time_machine.travel(NOW, tick=False):
        lab = await make_lab(frozen)
        looks = await asyncio.wait_for(looks_of(lab, size), 120)
    for name, look in looks.items():
        assert look == snapshot(name=name, extension_class=AsText)


async def looks_of(lab: Lab, size: tuple[int, int]) -> dict[str, str]:
    lock, room, found = LabLock(lab), ControlRoom(lab), {}
    lock.acquire()
    say_who(lab)
    os.utime(lab.identity_file, (NOW.timestamp(), NOW.timestamp()))
    try:
        async with room.run_test(size=size) as pilot:
            for name, keys in SCREENS.items():
                await settled(pilot)
                await go(pilot, keys)
                found[name] = (await settled(pilot)).replace(str(lab.root.parent), "/home/ada/x")
                await back(pilot, room)
    finally:
        lock.release()
    return found
