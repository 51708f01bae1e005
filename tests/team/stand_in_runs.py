"""Runs without training: what waits for a run gets a score that a test names, through the store's own moves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from orchestrator.context import Context
from orchestrator.measurement.judging import Judging
from orchestrator.patches.rebasing import bring_up_to_master
from orchestrator.store.records import Experiment, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place

PLACE = Place("cpu0", "CPU core", "off")


async def measure(context: Context, experiment: Experiment, kind: RunKind, *scores: float) -> None:
    """Runs at the experiment's commit with these scores, seeds from 1 on."""
    assert experiment.commit_id is not None
    for seed, score in enumerate(scores, start=1):
        run = await context.store.begin_run(experiment, kind, seed, PLACE, experiment.commit_id)
        await context.store.end_run(run.id, Measurement("scored", "by the test", score, training_seconds=1.0))


async def baseline(context: Context, score: float = 3.0) -> None:
    """The runs of the start."""
    start = await context.store.experiment(0)
    assert start is not None
    await measure(context, start, RunKind.BASELINE, score - 0.01, score, score + 0.01)


async def screen_for_ever(context: Context, score: Callable[[Experiment], float]) -> None:
    """Run every experiment that is ready once, and judge it, until cancelled."""
    judging = Judging(context)
    while True:
        for ready in await context.store.in_states([State.READY]):
            experiment = await bring_up_to_master(context, ready)
            if experiment.state is State.READY:
                await measure(context, experiment, RunKind.SCREEN, score(experiment))
        await judging.judge()
        await asyncio.sleep(0.05)
