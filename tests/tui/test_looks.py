"""What a person reads on each screen, at three sizes, kept as text: a change is seen and agreed to, never a surprise.

`pytest -n 0 tests/tui/test_looks.py --snapshot-update` takes them anew; `git diff` then shows what has changed.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
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
from tui.screens.setup import Setup

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
SIZES = ((80, 24), (120, 40), (200, 50))
SCREENS: dict[str, tuple[str, ...]] = {
    "dashboard": (),
    "experiment": (":show 1", "enter"),
    "log": ("1", "l"),
    "review": ("b",),
    "transcript": ("2", "enter"),
    "papers": (":papers", "enter"),
    "paper": (":show 1", "enter", "i"),
    "edit": (":show 2", "enter", "R"),
    "changes": ("0", "enter"),
    "command": (":kill 4",),
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


async def settled(pilot: Pilot[str], as_kept: Callable[[str], bool]) -> str:
    """The screen once it stays the same; on a busy machine a screen that is not as it was kept may still become so."""
    before, same, deadline = "", 0, time.monotonic() + 10
    while same < 3 or (not as_kept(before) and time.monotonic() < deadline):
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
    await pilot.pause(0.05)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_screens_look_as_they_did(
    size: tuple[int, int], frozen: Path, snapshot: SnapshotAssertion, request: pytest.FixtureRequest
) -> None:
    kept = Path(__file__).parent / "__snapshots__" / Path(__file__).stem
    with time_machine.travel(NOW, tick=False):
        lab = await make_lab(frozen)
        looks = await looks_of(lab, size, lambda name: kept / f"{request.node.name}[{name}].txt")
    for name, look in looks.items():
        assert look == snapshot(name=name, extension_class=AsText)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_the_making_of_a_lab_looks_as_it_did(
    size: tuple[int, int], frozen: Path, snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def half_way(setup: Setup) -> None:
        setup._show("writing the corpus", 9, 20)

    monkeypatch.setattr(Setup, "_work", half_way)
    async with ControlRoom(Lab(frozen)).run_test(size=size) as pilot:
        look = placeless(await settled(pilot, lambda now: "45%" in now), Lab(frozen))
    assert look == snapshot(name="setup", extension_class=AsText)


async def looks_of(lab: Lab, size: tuple[int, int], file_of: Callable[[str], Path]) -> dict[str, str]:
    """What each screen says; `file_of` names where what it said is kept."""
    lock, room, found = LabLock(lab), ControlRoom(lab), {}
    lock.acquire()
    say_who(lab)
    os.utime(lab.identity_file, (NOW.timestamp(), NOW.timestamp()))
    try:
        async with room.run_test(size=size) as pilot:
            for name, keys in SCREENS.items():
                file = file_of(name)
                before = file.read_text() if file.exists() else None
                await go(pilot, keys)
                text = await settled(pilot, lambda now, before=before: before in (None, placeless(now, lab)))
                found[name] = placeless(text, lab)
                await back(pilot, room)
    finally:
        lock.release()
    return found


def placeless(text: str, lab: Lab) -> str:
    return text.replace(str(lab.root.parent), "/home/ada/x")
