"""The control room opened on a lab, driven by keys and looked at."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot

from orchestrator.lab import Lab, LabLock
from orchestrator.store.records import Command
from orchestrator.store.writer import Writer
from tui.app import ControlRoom


@asynccontextmanager
async def room(lab: Lab, size: tuple[int, int] = (200, 50), alive: bool = True) -> AsyncIterator[Pilot[str]]:
    """The room on a lab whose lock is held, as by a daemon."""
    lock = LabLock(lab)
    if alive:
        lock.acquire()
        say_who(lab)
    app = ControlRoom(lab)
    try:
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: app.dashboard.snapshot is not None)
            yield pilot
    finally:
        lock.release()


def say_who(lab: Lab) -> None:
    identity = {"pid": os.getpid(), "started_at": "2026-01-01T00:00:00Z", "mode": "daemon"}
    lab.identity_file.write_text(json.dumps(identity))


async def until(pilot: Pilot[str], condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for what the room will come to, however busy the machine is."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the room has not come to what was expected:\n" + screen_text(pilot)
        await pilot.pause(0.05)


def screen_text(pilot: Pilot[str]) -> str:
    """What a person reads on the screen."""
    height = pilot.app.size.height
    strips = pilot.app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips[:height])


async def posted(lab: Lab) -> list[Command]:
    async with Writer(lab.database) as store:
        return await store.waiting_commands()


async def orders(pilot: Pilot[str], lab: Lab, count: int = 1, seconds: float = 20) -> list[Command]:
    """The orders that the room has left, once there are `count`; asserts that no more came."""
    deadline = time.monotonic() + seconds
    while len(left := await posted(lab)) < count:
        assert time.monotonic() < deadline, f"{len(left)} orders instead of {count}:\n" + screen_text(pilot)
        await pilot.pause(0.05)
    assert len(left) == count, left
    return left


def notices(pilot: Pilot[str]) -> str:
    return " ".join(f"{note.title} {note.message}" for note in pilot.app._notifications)


@asynccontextmanager
async def watching(lab: Lab) -> AsyncIterator[Pilot[str]]:
    app = ControlRoom(lab, read_only=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.dashboard.snapshot is not None)
        yield pilot


async def on(pilot: Pilot[str], screen: type[object]) -> None:
    await until(pilot, lambda: isinstance(pilot.app.screen, screen))
