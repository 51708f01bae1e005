"""A win of a program of somebody's own that ran longer than the master it beat is told of."""

from __future__ import annotations

from pathlib import Path

from orchestrator.lab import Lab
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer
from orchestrator.watching.overtime import overtime

PLACE = Place("cpu0", "a core", "bubblewrap")


async def ran(store: Writer, number: int, kind: RunKind, seconds: float, score: float) -> None:
    experiment = await store.experiment(number)
    assert experiment is not None and experiment.commit_id is not None
    run = await store.begin_run(experiment, kind, 1, PLACE, experiment.commit_id)
    await store.end_run(run.id, Measurement("scored", "scored", score, training_seconds=seconds))


async def test_a_win_that_took_longer_is_named_with_both_lengths_and_one_that_did_not_is_not(tmp_path: Path) -> None:
    async with Writer(Lab(tmp_path).database) as store:
        await store.add_start("a" * 40, "start", "the start")
        await ran(store, 0, RunKind.BASELINE, 5.0, 3.0)
        parent = "a" * 40
        for number, seconds in ((1, 6.5), (2, 12.5)):
            made = await store.add_experiment(Proposal(f"T{number}", "h", "s"), author="ada@box", team="person")
            await store.move(made.id, State.QUEUED, "queued")
            commit = f"{number}" * 40
            await store.move(made.id, State.READY, "ready", commit_id=commit, parent=parent)
            await ran(store, made.id, RunKind.SCREEN, seconds, 3.0 - number)
            await store.move(made.id, State.SCORED, "scored")
            await store.move(made.id, State.CONFIRMING, "again")
            parent = f"{number + 2}" * 40
            await store.promote(made.id, parent, "a real gain")
        [found] = await overtime(store)
    assert found.experiment_id == 2
    assert found.sentence.startswith("the runs of experiment 2 took 12.5 s, those of the master that it beat 6.5 s: ")
