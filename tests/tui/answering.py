"""A lab whose commands are answered as the daemon answers them, while a room is open on it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.branches import Repository
from orchestrator.context import Context, Standing
from orchestrator.corpus import own_data
from orchestrator.engine.answering import Answering, NoHands
from orchestrator.lab import Lab
from orchestrator.measurement.judging import Judging
from orchestrator.runs import local_executor
from orchestrator.sandbox.walls import needed_walls
from orchestrator.settings import read_settings
from orchestrator.store.writer import Writer


def context_of(lab: Lab, store: Writer) -> Context:
    """What the engine works with."""
    return Context(
        lab,
        Standing(read_settings(lab.settings_file)),
        store,
        Repository.open(lab.root),
        local_executor(profile="cpu", slots=1),
        own_data("cpu"),
        needed_walls(None, "auto"),
    )


@asynccontextmanager
async def answered(lab: Lab) -> AsyncIterator[Writer]:
    """The daemon's answers, without its agents and its runs; gives the store to look into."""
    async with Writer(lab.database) as store:
        context = context_of(lab, store)
        task = asyncio.create_task(Answering(context, Judging(context), NoHands()).run())
        try:
            yield store
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
