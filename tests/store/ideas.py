"""An experiment in a bare store, and its scored runs."""

from __future__ import annotations

from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer

IDEA = Proposal("Rotary positions", "turn them", "arXiv:2104.09864", "position", "edit")


async def a_ready_experiment(store: Writer) -> int:
    experiment = await store.add_experiment(IDEA, author="researcher", team="offline")
    await store.move(experiment.id, State.QUEUED, "planned")
    await store.move(experiment.id, State.PATCHING, "patching")
    await store.move(experiment.id, State.READY, "approved", parent="aaa", branch="exp/1-rotary", commit_id="bbb")
    return experiment.id


async def a_measured_start(store: Writer) -> None:
    """At commit aaa, with a mean of 3.2."""
    await store.add_start("aaa", "start", "the start")
    for seed, score in ((1, 3.0), (2, 3.2), (3, 3.4)):
        await scored_run(store, 0, RunKind.BASELINE, seed, "aaa", score)


async def scored_run(store: Writer, experiment_id: int, kind: RunKind, seed: int, commit: str, score: float) -> None:
    experiment = await store.experiment(experiment_id)
    assert experiment is not None
    run = await store.begin_run(experiment, kind, seed, Place("cpu0", "a core", "bubblewrap"), commit)
    await store.end_run(run.id, Measurement("scored", f"scored {score}", score))
