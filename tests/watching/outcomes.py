"""Experiments with outcomes on record, and what a look at them tells."""

from __future__ import annotations

import asyncio
from pathlib import Path

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal
from orchestrator.watching.anomalies import Anomalies

PLACE = Place("cpu0", "a core", "bubblewrap")


async def ended(
    context: Context,
    state: State,
    reason: str,
    score: float | None = None,
    outcome: str = "scored",
    program: str = "",
    variable: str = "",
    source: str = "a test",
) -> int:
    """An experiment that ran once and ended so."""
    store = context.store
    start = await store.experiment(0)
    assert start is not None
    made = await store.add_experiment(
        Proposal("An idea", "It may help.", source, variable, patch="a patch"),
        author="a test",
        team="none",
        state=State.QUEUED,
    )
    commit = f"{made.id:040x}"
    ready = await store.move(
        made.id, State.READY, "ready", commit_id=commit, parent=start.commit_id, program=program or commit
    )
    run = await store.begin_run(ready, RunKind.SCREEN, 1, PLACE, commit)
    await store.end_run(run.id, Measurement(outcome, reason, score))
    if score is not None:
        await store.move(made.id, State.SCORED, "scored")
    await store.move(made.id, state, reason)
    return made.id


async def told(context: Context) -> list[str]:
    """What a look tells of that is new."""
    before = len(await context.store.newest_events("anomaly", 1000))
    await Anomalies(context).look()
    after = await context.store.newest_events("anomaly", 1000)
    return [event.reason for event in after[: len(after) - before]]


def in_lab(lab: Path, play) -> None:  # type: ignore[no-untyped-def]
    async def whole() -> None:
        async with opened(Lab(lab)) as context:
            await play(context)

    asyncio.run(whole())
