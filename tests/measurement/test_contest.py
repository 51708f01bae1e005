"""Which runs an experiment is judged by: those that gave a score, on the kind of device that gave it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.measurement.conditions import conditions_of
from orchestrator.measurement.contest import runs_at_head, standing
from orchestrator.measurement.judging import Judging
from orchestrator.measurement.measuring import Measuring
from orchestrator.measurement.recorded import recorded_rows
from orchestrator.store.records import Experiment, RunKind
from orchestrator.store.states import NOT_STARTED, State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer
from orchestrator.views import baseline_of
from tests.conftest import set_key

SLOW, FAST = Place("cpu0", "slow", "off"), Place("cpu1", "fast", "off")


def in_lab(lab: Path, play: Callable[[Context], Coroutine[Any, Any, None]]) -> None:
    async def go() -> None:
        async with opened(Lab(lab)) as context:
            await Judging(context).follow_master()
            await play(context)

    asyncio.run(go())


async def scored(context: Context, experiment: Experiment, kind: RunKind, place: Place, *scores: float) -> None:
    """Runs at the experiment's commit with these scores, seeds from 1 on."""
    assert experiment.commit_id is not None
    budget = context.settings.run.budget_seconds
    for seed, score in enumerate(scores, start=1):
        run = await context.store.begin_run(experiment, kind, seed, place, experiment.commit_id)
        await context.store.end_run(run.id, Measurement("scored", "by the test", score, training_seconds=budget))


async def baseline(context: Context, place: Place, *scores: float) -> Experiment:
    start = await context.store.experiment(0)
    assert start is not None
    await scored(context, start, RunKind.BASELINE, place, *scores)
    return start


async def a_ready_one(context: Context, title: str = "An idea") -> Experiment:
    """An experiment that stands on master, with a commit of its own name."""
    made = await context.store.add_experiment(
        Proposal(title, "It helps.", "a test"), author="a test", team="none", state=State.QUEUED
    )
    commit = (await context.master()).commit_id
    words = {"commit_id": f"{made.id:040x}", "parent": commit, "branch": f"exp/{made.id}"}
    return await context.store.move(made.id, State.READY, "by the test", **words)


async def a_real_one(context: Context) -> Experiment:
    """The same with a branch that can be merged."""
    ready = await a_ready_one(context, "Another decay")
    assert ready.parent is not None
    tree = context.lab.worktrees / "recorded"
    context.repository.checkout_commit(tree, ready.parent)
    text = (tree / "train.py").read_text()
    (tree / "train.py").write_text(text.replace("WEIGHT_DECAY = 0.1", "WEIGHT_DECAY = 0.05"))
    commit = context.repository.commit(tree, ready.title, ready.hypothesis, {"Experiment": str(ready.id)}, "worker-1")
    branch = context.repository.set_branch(context.repository.branch_name(ready.id, 1, ready.title), commit)
    return await context.store.move(ready.id, State.READY, "by the test", commit_id=commit, branch=branch)


async def seen(context: Context, experiment: Experiment) -> Experiment:
    found = await context.store.experiment(experiment.id)
    assert found is not None
    return found


def test_a_run_that_never_started_says_nothing_of_the_device_that_an_experiment_is_judged_on(bare: Path) -> None:
    async def play(context: Context) -> None:
        store = context.store
        await baseline(context, SLOW, 2.99, 3.0, 3.01)
        await baseline(context, FAST, 1.99, 2.0, 2.01)
        ready = await a_ready_one(context)
        assert ready.commit_id is not None
        never = await store.begin_run(ready, RunKind.SCREEN, 1, SLOW, ready.commit_id)
        await store.end_run(never.id, Measurement(NOT_STARTED, "the daemon was stopped before this run began"))
        ready = await store.move(ready.id, State.READY, "asked for again")
        await scored(context, ready, RunKind.SCREEN, FAST, 1.9)
        await Judging(context).judge()
        await Judging(context).judge()
        confirming = await seen(context, ready)
        assert confirming.state is State.CONFIRMING and "against 2.0000 (3)" in confirming.reason
        found = await standing(context, confirming, await runs_at_head(context, confirming))
        assert found is not None and confirming.ground == await store.present_ground("fast")
        measuring = Measuring(context)
        assert await measuring._wanted_confirmation("slow") is None
        wanted = await measuring._wanted_confirmation("fast")
        assert wanted is not None and (wanted.kind, wanted.seed) == (RunKind.CONFIRM, 2)

    in_lab(bare, play)


def test_an_experiment_whose_run_a_person_ended_says_who_did(bare: Path) -> None:
    async def play(context: Context) -> None:
        store = context.store
        await baseline(context, FAST, 2.0, 2.01, 2.02)
        first, second = await a_ready_one(context), await a_ready_one(context, "Another")
        await scored(context, first, RunKind.SCREEN, FAST, 1.5)
        await Judging(context).judge()
        await Judging(context).judge()
        for ready, kind, seed, how in (
            (first, RunKind.CONFIRM, 2, "stop"),
            (second, RunKind.SCREEN, 1, "kill"),
        ):
            assert ready.commit_id is not None
            run = await store.begin_run(await seen(context, ready), kind, seed, FAST, ready.commit_id)
            await store.event("run", "ada@box", f"{how} run {run.id}", experiment_id=ready.id)
            await store.end_run(run.id, Measurement("killed", "stopped on request"))
        await Judging(context).judge()
        told = [await seen(context, ready) for ready in (first, second)]
        assert [one.state for one in told] == [State.KILLED, State.KILLED]
        assert [one.reason for one in told] == [
            "a confirming run was stopped on request of ada@box",
            "killed on request of ada@box",
        ]

    in_lab(bare, play)


def test_nothing_is_promoted_on_a_baseline_that_ignores_its_seed_and_the_lab_says_why_nothing_starts(
    bare: Path,
) -> None:
    async def play(context: Context) -> None:
        await baseline(context, FAST, 2.0, 2.1, 2.0)
        ready = await a_ready_one(context)
        await scored(context, ready, RunKind.SCREEN, FAST, 1.0)
        await Judging(context).judge()
        await Judging(context).judge()
        assert (await seen(context, ready)).state is State.CONFIRMING
        await scored(context, await seen(context, ready), RunKind.CONFIRM, FAST, 1.01, 1.02)
        await Judging(context).judge()
        await Judging(context).judge()
        after = await seen(context, ready)
        assert after.state is State.NOT_CONFIRMED and "how far chance goes is not known" in after.reason
        measuring = Measuring(context)
        halted = await measuring.halted()
        assert halted is not None and halted == (
            "nothing can be compared with master: the assigned seed is ignored: seeds 1 and 3 gave the same score"
            " 2.000000; seed everything with prepare.set_seed() and prepare.seed(), and commit that to master"
        )
        await context.store.set_meta("runs_forgiven", "99")
        assert await measuring.halted() == halted, "it is no failed run that might go better next time"
        assert await measuring._next("fast") is None

    in_lab(bare, play)


def test_a_merge_message_tells_the_scores_of_the_kind_of_device_that_decided(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context, SLOW, 2.99, 3.0, 3.01, 3.02)
        await baseline(context, FAST, 1.99, 2.0, 2.01)
        ready = await a_real_one(context)
        await scored(context, ready, RunKind.SCREEN, FAST, 1.5)
        judging = Judging(context)
        await judging.judge()
        await judging.judge()
        await scored(context, ready, RunKind.CONFIRM, FAST, 1.5, 1.52)
        await judging.judge()
        won = await seen(context, ready)
        assert won.state is State.PROMOTED
        message = context.repository.message(context.repository.head("refs/heads/master"))
        assert "val_bpb of the master before (experiment 0): 2.0000 (1.9900, 2.0000, 2.0100)" in message

    in_lab(bare, play)


def test_after_a_changed_budget_master_is_measured_anew_and_nothing_is_compared_across_it(bare: Path) -> None:
    """A budget three times as long makes every patch look like a gain."""

    async def before(context: Context) -> None:
        await baseline(context, FAST, 2.99, 3.0, 3.01)
        for title, kinds in (("Screened", 1), ("Being confirmed", 2)):
            ready = await a_ready_one(context, title)
            await scored(context, ready, RunKind.SCREEN, FAST, 2.8)
            for _ in range(kinds):
                await Judging(context).judge()
        underway = await a_ready_one(context, "Under way")
        assert underway.commit_id is not None
        await context.store.begin_run(underway, RunKind.SCREEN, 1, FAST, underway.commit_id)

    async def after(context: Context) -> None:
        store, measuring = context.store, Measuring(context)
        (run,) = await store.runs_underway()
        await store.end_run(run.id, Measurement("scored", "by the test", 2.7, training_seconds=1.0))
        wanted = await measuring._wanted_baseline("fast")
        assert wanted is not None and (wanted.experiment.id, wanted.kind, wanted.seed) == (0, RunKind.BASELINE, 1)
        for _ in range(2):
            await Judging(context).judge()
        one, *_ = experiments = await store.in_states([State.READY])
        assert len(experiments) == 3 and "measured under other settings" in one.reason
        assert (await baseline_of(store)).val_bpb == 3.0, "the old score, until there is a new one"
        await baseline(context, FAST, 1.99, 2.0, 2.01)
        told = await baseline_of(store)
        assert (told.val_bpb, told.runs) == (2.0, 3)
        assert told.noise is not None and told.noise < 0.02
        await scored(context, one, RunKind.SCREEN, FAST, 2.1)
        for _ in range(2):
            await Judging(context).judge()
        found = await seen(context, one)
        assert found.state is State.DISCARDED and found.val_bpb == 2.1 and "against 2.0000 (3)" in found.reason
        assert found.delta is not None and abs(found.delta - 0.1) < 1e-9
        assert len(await recorded_rows(context, found.ground)) == 4, "early stopping learns from the new runs alone"
        first = await store.runs_of(0)
        assert {run.device for run in first} == {"fast"} and len({run.ground for run in first}) == 2
        assert any("master is measured anew" in event.reason for event in await store.events())

    in_lab(bare, before)
    set_key(bare, "budget_seconds", "3")
    in_lab(bare, after)


def test_runs_from_before_settings_were_kept_count_as_those_of_now(bare: Path) -> None:
    async def on_record() -> None:
        async with Writer(Lab(bare).database) as store:
            start = await store.experiment(0)
            assert start is not None and start.commit_id is not None
            for seed, score in enumerate((2.99, 3.0, 3.01), start=1):
                run = await store.begin_run(start, RunKind.BASELINE, seed, FAST, start.commit_id)
                assert not run.conditions
                await store.end_run(run.id, Measurement("scored", "on record", score))

    async def play(context: Context) -> None:
        assert await Measuring(context)._wanted_baseline("fast") is None
        assert {run.conditions for run in await context.store.runs_of(0)} == {conditions_of(context.settings)}
        assert (await baseline_of(context.store)).val_bpb == 3.0

    asyncio.run(on_record())
    in_lab(bare, play)


def test_what_failed_under_other_settings_does_not_halt_the_lab(bare: Path) -> None:
    async def before(context: Context) -> None:
        start = await context.store.experiment(0)
        assert start is not None and start.commit_id is not None
        for seed in (1, 2):
            run = await context.store.begin_run(start, RunKind.BASELINE, seed, FAST, start.commit_id)
            await context.store.end_run(run.id, Measurement("timeout", "it took too long"))
        assert "cannot be measured: it took too long" in (await Measuring(context).halted() or "")

    async def after(context: Context) -> None:
        assert await Measuring(context).halted() is None

    in_lab(bare, before)
    set_key(bare, "budget_seconds", "3")
    in_lab(bare, after)
