"""A team with a master of its own: its promotions, rebases and duplicates are its own, and the lab's master stays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from orchestrator.branches.repository import MASTER
from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.guard import program_hash
from orchestrator.lab import Lab
from orchestrator.measurement.judging import Judging
from orchestrator.measurement.masters import ref_of
from orchestrator.measurement.measuring import Measuring
from orchestrator.patches.rebasing import bring_up_to_master
from orchestrator.patches.submitting import against_guard, commit_patch
from orchestrator.settings import read_settings
from orchestrator.store.records import Decision, Experiment, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal
from orchestrator.team.belonging import settle_lines
from orchestrator.views import baseline_of
from tests.conftest import set_key
from tests.team.stand_in_runs import baseline, measure


def in_lab(lab: Path, play: Callable[[Context, Context], Coroutine[Any, Any, None]]) -> None:
    """Play with a lab where `solo` has a master of its own and `offline` works on the lab's; both contexts."""
    set_key(lab, "teams", '["offline", "solo"]')
    with (lab / "autolab.toml").open("a") as file:
        file.write("\n[teams.solo]\nown_master = true\n")

    async def go() -> None:
        async with opened(Lab(lab)) as context:
            await Judging(context).follow_master()
            await baseline(context)
            offline, solo = context.settings.teams_at_work
            await play(context.of(offline), context.of(solo))

    asyncio.run(go())


async def patched(context: Context, title: str, old: str, new: str) -> tuple[Experiment, list[str]]:
    """An experiment of the context's team with this edit on a branch, and what the guard says of it."""
    proposal = Proposal(title, "because it may help", "own reasoning")
    made = await context.store.add_experiment(
        proposal, author="agent", team=context.team.name, line=context.line, state=State.QUEUED
    )
    await context.store.move(made.id, State.PATCHING, "by the test")
    base = (await context.master()).commit_id
    worktree = context.lab.worktrees / "test"
    await asyncio.to_thread(context.repository.checkout_commit, worktree, base)
    file = worktree / "train.py"
    before, text = await context.sources(base), file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    after = {"train.py": file.read_text()}
    refused = await against_guard(context, before, after, made.id, worktree)
    await commit_patch(context, made, worktree, base, model="m", actor="agent", reason="t", program=program_hash(after))
    return await context.store.move(made.id, State.READY, "by the test"), refused


async def merged(context: Context, experiment: Experiment, score: float) -> Experiment:
    """Measured once and merged by a person's decision."""
    await context.store.annotate(experiment.id, "a wish", actor="p", decision=Decision.MERGE)
    await measure(context, experiment, RunKind.SCREEN, score)
    for _ in range(4):
        await Judging(context).judge()
    found = await context.store.experiment(experiment.id)
    assert found is not None
    return found


RATE = ("LEARNING_RATE = ", "LEARNING_RATE = 2 * ")
SPREAD = ("INIT_STD = ", "INIT_STD = 3 * ")


def test_a_win_of_the_team_moves_its_own_master_alone(bare: Path) -> None:
    async def play(offline: Context, solo: Context) -> None:
        repository, store = solo.repository, solo.store
        start = repository.head(MASTER)
        assert repository.head(ref_of("solo")) == start, "it begins where the lab's stands"
        assert await Measuring(solo)._wanted_baseline("CPU core") is None, "and needs no baseline of its own there"
        experiment, refused = await patched(solo, "Twice the rate", *RATE)
        assert not refused and experiment.line == "solo"
        won = await merged(solo, experiment, 2.5)
        assert won.state is State.PROMOTED and repository.head(MASTER) == start
        head = repository.head(ref_of("solo"))
        assert repository.parents(head) == [start, won.commit_id]
        assert f"Experiment: {won.id}" in repository.message(head)
        theirs, ours = await store.master("solo"), await store.master()
        assert theirs is not None and (theirs.commit_id, theirs.experiment_id) == (head, won.id)
        assert ours is not None and ours.commit_id == start
        assert (await baseline_of(store, "solo")).val_bpb == 2.5 and (await baseline_of(store)).promotions == 0
        assert (await baseline_of(store)).val_bpb == 3.0
        assert [one.id for one in await store.promotions()] == [0], "the lab's story is the lab's"

    in_lab(bare, play)


def test_each_team_is_rebased_onto_its_own_master_and_judged_against_it(bare: Path) -> None:
    async def play(offline: Context, solo: Context) -> None:
        stale, _ = await patched(solo, "A wider start", *SPREAD)
        other, _ = await patched(offline, "A wider start", *SPREAD)
        won = await merged(solo, (await patched(solo, "Twice the rate", *RATE))[0], 2.5)
        head = await solo.master()
        rebased = await bring_up_to_master(solo, stale)
        assert rebased.parent == head.commit_id and RATE[1] in (await solo.sources(rebased.commit_id or ""))["train.py"]
        untouched = await bring_up_to_master(offline, other)
        assert untouched == other and RATE[1] not in (await offline.sources(other.commit_id or ""))["train.py"]
        await measure(solo, rebased, RunKind.SCREEN, 2.6)
        measured = await solo.store.experiment(rebased.id)
        assert measured is not None and measured.delta is not None and abs(measured.delta - 0.1) < 1e-9
        assert won.delta is not None and abs(won.delta + 0.5) < 1e-9

    in_lab(bare, play)


def test_the_same_program_is_new_on_another_master_and_old_on_the_same(bare: Path) -> None:
    async def play(offline: Context, solo: Context) -> None:
        _, refused = await patched(solo, "Twice the rate", *RATE)
        assert not refused
        _, refused = await patched(offline, "Twice the rate", *RATE)
        assert not refused, "the other team's line does not count"
        _, refused = await patched(solo, "Twice the rate once more", *RATE)
        assert refused and "the very program of experiment" in refused[0]

    in_lab(bare, play)


def test_a_person_may_bring_the_teams_master_to_the_labs_and_it_needs_no_new_runs(bare: Path) -> None:
    async def play(offline: Context, solo: Context) -> None:
        won = await merged(offline, (await patched(offline, "Twice the rate", *RATE))[0], 2.5)
        head, old = offline.repository.head(MASTER), solo.repository.head(ref_of("solo"))
        assert head != old and offline.repository.advance(ref_of("solo"), head, old)
        await Judging(offline).follow_master()
        theirs = await solo.master()
        assert (theirs.commit_id, theirs.experiment_id) == (head, won.id)
        assert solo.repository.advance(ref_of("solo"), "0" * 40, head), "and its branch may be deleted"
        await Judging(offline).follow_master()
        assert solo.repository.head(ref_of("solo")) == head, "it is made again where it stood"

    in_lab(bare, play)


def test_a_merge_cut_off_half_way_is_told_to_the_store_of_its_line(bare: Path) -> None:
    async def play(offline: Context, solo: Context) -> None:
        experiment, _ = await patched(solo, "Twice the rate", *RATE)
        await measure(solo, experiment, RunKind.SCREEN, 2.5)
        await solo.store.move(experiment.id, State.SCORED, "t")
        await solo.store.move(experiment.id, State.CONFIRMING, "t")
        base = (await solo.master()).commit_id
        merge = solo.repository.merge(base, experiment.commit_id or "", f"Promote\n\nExperiment: {experiment.id}\n")
        assert solo.repository.advance(ref_of("solo"), merge, base)  # and here the daemon is killed
        await Judging(offline).follow_master()
        found = await solo.store.experiment(experiment.id)
        assert found is not None and found.state is State.PROMOTED
        assert (await solo.master()).commit_id == merge and (await offline.master()).commit_id == base

    in_lab(bare, play)


def test_a_merge_cut_off_half_way_is_told_with_the_reason_and_the_name_that_it_was_made_with(bare: Path) -> None:
    """A person's own merge is no real gain."""

    async def play(offline: Context, solo: Context) -> None:
        reason, store = "merged by ada@box's own decision, measured as it stands", offline.store
        judging = Judging(offline)
        other, _ = await patched(offline, "A wider start", *SPREAD)
        await measure(offline, other, RunKind.SCREEN, 3.4)
        await store.move(other.id, State.SCORED, "t")
        other = await store.move(other.id, State.CONFIRMING, "t")
        base = (await offline.master()).commit_id
        words = await judging._message(other, reason, "ada@box", "")
        merge = offline.repository.merge(base, other.commit_id or "", words)
        assert offline.repository.advance(MASTER, merge, base)  # and here the daemon is killed
        await judging.follow_master()
        [promoted, *_] = [
            event for event in await store.events(experiment_id=other.id) if event.after == State.PROMOTED
        ]
        assert promoted.reason == f"{reason}; merged just before the daemon was stopped"
        assert promoted.actor == "ada@box" and "real gain" not in promoted.reason

    in_lab(bare, play)


def test_an_experiment_that_changes_its_master_brings_its_own_change_alone(bare: Path) -> None:
    async def play(offline: Context, solo: Context) -> None:
        await merged(solo, (await patched(solo, "Twice the rate", *RATE))[0], 2.5)
        waiting, _ = await patched(solo, "A wider start", *SPREAD)
        set_key(bare, "own_master", "false")
        solo.standing.now = read_settings(solo.lab.settings_file)
        await settle_lines(solo)
        moved = await solo.store.experiment(waiting.id)
        assert moved is not None and moved.line == ""
        rebased = await bring_up_to_master(solo, moved)
        source = (await solo.sources(rebased.commit_id or ""))["train.py"]
        assert rebased.state is State.READY and SPREAD[1] in source and RATE[1] not in source

    in_lab(bare, play)
