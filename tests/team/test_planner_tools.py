"""What a planner can do beside queueing: merge, follow up, combine, tune and balance, and who hears of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.balance import balance_of
from orchestrator.context import Context
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal
from orchestrator.team import briefs
from orchestrator.team.jobs import Job, JobBook, JobKind
from orchestrator.team.requests import open_requests
from orchestrator.team.toolbox import Toolbox
from roles.offline import NAME as OFFLINE
from roles.offline.constants import constants
from roles.playing import Playing
from roles.tools import Tool
from tests.team.team_lab import baseline, call, ended, in_lab, told_of, waiting

RATE = ("LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3")
CLIP = ("BETA2 = 0.95", "BETA2 = 0.99")


def planning(context: Context) -> list[Tool]:
    return Toolbox(context, "planner", Playing("a model")).planning()


def test_one_experiment_absorbs_another_and_both_say_so(bare: Path) -> None:
    async def play(context: Context) -> None:
        keep, absorb = await waiting(context, "ReLU squared"), await waiting(context, "Squared ReLU", State.PROPOSED)
        await context.store.set_priority(absorb.id, 70, "first", actor="planner")
        tools = planning(context)
        why = "both square the activation"
        assert "has absorbed" in await call(tools, "merge_duplicates", keep=keep.id, absorb=absorb.id, reason=why)
        gone, kept = await context.store.experiment(absorb.id), await context.store.experiment(keep.id)
        assert gone is not None and gone.state is State.DROPPED and f"absorbed by experiment {keep.id}" in gone.reason
        assert kept is not None and kept.state is State.QUEUED and kept.priority == 70
        assert f"absorbs experiment {absorb.id}" in await told_of(context, keep.id)
        again = await call(tools, "merge_duplicates", keep=keep.id, absorb=absorb.id, reason=why)
        assert "refused: " in again and "is dropped" in again
        assert "name two" in await call(tools, "merge_duplicates", keep=keep.id, absorb=keep.id, reason=why)
        other = await waiting(context, "Third")
        onto_dropped = await call(tools, "merge_duplicates", keep=absorb.id, absorb=other.id, reason=why)
        assert "keep the other one" in onto_dropped

    in_lab(bare, play)


def test_a_follow_up_that_is_asked_for_stands_in_the_researchers_brief_until_it_is_proposed(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        near = await ended(context, "A higher rate", RATE, 2.995, State.NOT_CONFIRMED, variable="rate")
        tools = planning(context)
        assert "is asked for" in await call(tools, "request_follow_up", id=near.id, reason="try it with warm-up")
        assert "asked for already" in await call(tools, "request_follow_up", id=near.id, reason="try it again")
        waits = await waiting(context, "Not run yet")
        assert "follow up what has run" in await call(tools, "request_follow_up", id=waits.id, reason="try this")
        brief = await briefs.research_brief(context, "researcher", 3)
        assert "The planner asks for a follow-up" in brief and "Wanted: try it with warm-up" in brief
        research = Toolbox(context, "researcher", Playing("a model")).researching()
        told = await call(
            research,
            "propose",
            title="A higher rate with warm-up",
            hypothesis="The first steps are what broke it.",
            source=f"experiment {near.id}",
            variable="rate",
            follows=near.id,
        )
        assert f"answers the request for a follow-up of experiment {near.id}" in told
        assert await open_requests(context.store) == []
        assert "The planner asks" not in await briefs.research_brief(context, "researcher", 3)

    in_lab(bare, play)


def test_two_gains_are_combined_and_the_worker_finds_both_patches_in_its_tree(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        first = await ended(context, "A higher rate", RATE, 2.99, State.NOT_CONFIRMED)
        second = await ended(context, "A slower second moment", CLIP, 2.98, State.NOT_CONFIRMED)
        lost = await ended(context, "Worse", ("BETA1 = 0.9", "BETA1 = 0.5"), 3.2, State.DISCARDED)
        tools = planning(context)
        why = "they act on different parts of the step"
        assert "has not scored better" in await call(tools, "combine", first=first.id, second=lost.id, reason=why)
        told = await call(tools, "combine", first=second.id, second=first.id, priority=60, reason=why)
        assert f"combines experiments {second.id} and {first.id}" in told
        assert "combines them already" in await call(tools, "combine", first=first.id, second=second.id, reason=why)
        (made,) = await context.store.in_states([State.QUEUED])
        assert made.source == f"experiments {first.id} and {second.id}" and made.priority == 60
        tree = context.lab.worktrees / "worker-1"
        job = Job(JobKind.PATCH, "patch it", made.id)
        prepared = await JobBook(context).prepare(job, "worker-1", Playing("a model"), tree)
        text = (tree / "train.py").read_text()
        assert RATE[1] in text and CLIP[1] in text
        assert "holds the patches of both already" in prepared.brief
        context.repository.remove_worktree(tree)

    in_lab(bare, play)


def test_parts_that_touch_the_same_line_are_left_to_the_worker_by_name(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        first = await ended(context, "A higher rate", RATE, 2.99, State.NOT_CONFIRMED)
        second = await ended(context, "A lower rate", (RATE[0], "LEARNING_RATE = 5e-4"), 2.98, State.NOT_CONFIRMED)
        await call(planning(context), "combine", first=first.id, second=second.id, reason="as a test of conflicts")
        (made,) = await context.store.in_states([State.QUEUED])
        tree = context.lab.worktrees / "worker-1"
        prepared = await JobBook(context).prepare(
            Job(JobKind.PATCH, "p", made.id), "worker-1", Playing("a model"), tree
        )
        assert RATE[1] in (tree / "train.py").read_text()
        assert f"The patch of experiment {second.id} does not fit by itself" in prepared.brief
        context.repository.remove_worktree(tree)

    in_lab(bare, play)


def test_a_constant_is_handed_to_the_tuner_which_learns_from_recorded_results(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        master = await context.store.master()
        assert master is not None
        source = (await context.sources(master.commit_id))["train.py"]
        (rate,) = [one for one in constants(source, "cpu") if one.name == "LEARNING_RATE"]
        tools = planning(context)
        answer = await call(tools, "tune_constant", name="LEARNING_RATE", values=2, reason="it was set for AdamW")
        made = await context.store.in_states([State.READY])
        assert len(made) == 2 and answer.count("is ready") == 2, answer
        for one in made:
            patched = (await context.sources(one.commit_id or ""))["train.py"]
            (changed,) = [constant for constant in constants(patched, "cpu") if constant.name == rate.name]
            old, new = rate.show(rate.value), rate.show(changed.value)
            assert old != new and one.title == f"LEARNING_RATE: {old} -> {new}"
            assert "Optuna" in one.role_model and one.variable == "LEARNING_RATE"
        assert len({one.title for one in made}) == 2
        # Steps up did well and steps down badly, so what comes next goes up.
        steps = ((0.2, 2.95), (0.35, 2.94), (0.5, 2.93), (0.65, 2.92), (-0.2, 3.1), (-0.4, 3.2), (-0.6, 3.3))
        for shift, score in steps:
            new = f"{rate.value * 2**shift:.4g}"
            title = f"LEARNING_RATE: {rate.show(rate.value)} -> {new}"
            await ended(context, title, (RATE[0], f"LEARNING_RATE = {new}"), score, State.DISCARDED)
        await call(tools, "tune_constant", name="LEARNING_RATE", values=3, reason="again, with results")
        later = [one for one in await context.store.in_states([State.READY]) if one.id > made[-1].id + 7]
        values = [float(one.title.split("-> ")[1]) for one in later]
        assert len(values) == 3 and sum(value > rate.value for value in values) >= 2, values
        unknown = await call(tools, "tune_constant", name="WARP", values=1, reason="no such thing")
        assert "There is no numeric constant 'WARP'" in unknown and "LEARNING_RATE" in unknown

    in_lab(bare, play)


def test_a_proposal_that_varies_a_number_is_sent_to_the_tuner_by_every_planner_but_the_offline_one(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        number = await waiting(context, "A bolder rate", State.PROPOSED, variable=" LEARNING_RATE ")
        other = await waiting(context, "Squared ReLU", State.PROPOSED, variable="activation")
        tools = planning(context)
        assert "waits with priority 5" in await call(tools, "queue", id=other.id, priority=5, reason="a new direction")
        sent = await call(tools, "queue", id=number.id, priority=5, reason="a bolder rate")
        assert "refused: " in sent and "use tune_constant for it, then drop this one" in sent
        assert '"name":"LEARNING_RATE"' in sent, "with the schema and an example"
        now = await context.store.experiment(number.id)
        assert now is not None and now.state is State.PROPOSED
        again = await call(tools, "queue", id=number.id, priority=5, reason="it has a schedule of its own")
        assert "waits with priority 5" in again
        third = await waiting(context, "A shyer rate", State.PROPOSED, variable="LEARNING_RATE")
        offline = Toolbox(context, "planner", Playing(OFFLINE)).planning()
        assert "waits with priority 5" in await call(offline, "queue", id=third.id, priority=5, reason="by the tuner")

    in_lab(bare, play)


def test_the_priority_that_a_person_gave_is_not_the_planners_to_change(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        store, tools = context.store, planning(context)
        words = Proposal("Mine", "It helps.", "ada@box")
        own = await store.add_experiment(words, author="ada@box", team="person", priority=4, state=State.QUEUED)
        theirs = await waiting(context, "Squared ReLU", State.PROPOSED)
        await store.set_priority(theirs.id, 30, "first", actor="ada@box")
        kept = f"Experiment {own.id} keeps the priority 4 that ada@box gave it."
        assert kept in await call(tools, "queue", id=own.id, priority=20, reason="the reviewer's wish")
        queued = await call(tools, "queue", id=theirs.id, priority=5, reason="a new direction")
        assert "waits with priority 30" in queued
        await store.set_priority(own.id, 6, "later", actor="planner")  # from before persons' words stood
        assert "waits with priority 20" in await call(tools, "queue", id=own.id, priority=20, reason="wished for")

    in_lab(bare, play)


@pytest.mark.parametrize("up", [True, False], ids=["steps up did well", "steps down did well"])
def test_the_tuner_learns_from_a_constant_whatever_its_experiment_is_called(bare: Path, up: bool) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        steps = (("2e-3", 2.9), ("1.6e-3", 2.92), ("1.3e-3", 2.95), ("7e-4", 3.2), ("6e-4", 3.25), ("5.2e-4", 3.3))
        for new, score in steps:
            edit = (RATE[0], f"LEARNING_RATE = {new}")
            score = score if up else 6 - score
            await ended(context, f"Try {new}", edit, score, State.DISCARDED, variable="LEARNING_RATE")
        await call(planning(context), "tune_constant", name="LEARNING_RATE", values=3, reason="with results")
        values = [float(one.title.split("-> ")[1]) for one in await context.store.in_states([State.READY])]
        assert len(values) == 3 and sum((value > 1e-3) is up for value in values) >= 2, values

    in_lab(bare, play)


def test_the_balance_is_stated_told_in_briefs_and_compared_with_what_the_last_runs_were(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        before = await balance_of(context.store)
        assert before.share is None and "nobody has stated another share" in before.told
        await ended(context, "Rate", RATE, 3.1, State.DISCARDED, variable="rate")
        await ended(context, "Rate again", RATE, 3.1, State.DISCARDED, variable="Rate")
        await ended(context, "Moment", CLIP, 3.1, State.DISCARDED, variable="second moment")
        await ended(context, "Built on", CLIP, 3.1, State.DISCARDED, variable="else", source="experiment 3")
        await ended(context, "A person's", CLIP, 3.1, State.DISCARDED, variable="mine", team="person")
        told = await call(planning(context), "state_balance", exploring=0.4, reason="two wins this wave")
        assert "40% of the runs are to explore; of the last 4 experiments 50% did" in told
        events = [event.reason for event in await context.store.events() if event.actor == "planner"]
        assert events == ["balance: 40% of the runs explore, 60% refine: two wins this wave"]
        for brief in (await briefs.planning_brief(context, "planner"), await briefs.research_brief(context, "r", 2)):
            assert "40% of the runs are to explore" in brief

    in_lab(bare, play)


def test_what_is_ready_can_be_retired_and_a_persons_own_cannot(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        one = await waiting(context, "Ready and refuted")
        await context.store.move(one.id, State.READY, "ready", commit_id="a" * 40, parent="b" * 40)
        assert "is dropped" in await call(planning(context), "drop", id=one.id, reason="experiment 3 refuted it")
        own = await context.store.add_experiment(
            Proposal("Mine", "It may help.", "me"), author="me", team="person", state=State.QUEUED
        )
        assert "a person's own" in await call(planning(context), "drop", id=own.id, reason="I would rather not")

    in_lab(bare, play)
