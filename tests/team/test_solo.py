"""One conversation that does everything: what it begins, hands in and reads, with the offline model and by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.measurement.judging import Judging
from orchestrator.store.records import Experiment, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement
from orchestrator.team.crew import muster
from orchestrator.team.jobs import JobBook, JobKind
from orchestrator.team.journal import AgentJournal
from orchestrator.team.models import limits_of
from orchestrator.team.solo import Solo
from roles.agent import Finished, converse
from roles.errors import ToolRefusal
from roles.playing import Playing
from tests.conftest import set_key
from tests.team.stand_in_runs import PLACE, baseline, screen_for_ever

IDEA = {
    "title": "A higher rate",
    "hypothesis": "Twice the learning rate lowers val_bpb.",
    "source": "own reasoning",
    "variable": "LEARNING_RATE",
}
Tools = Callable[..., Coroutine[Any, Any, str]]


def in_solo_lab(lab: Path, play: Callable[[Context], Coroutine[Any, Any, None]], **keys: str) -> None:
    """Play with a lab whose one team is `solo`, its baseline on record."""
    set_key(lab, "teams", '["solo"]')
    for key, value in keys.items():
        set_key(lab, key, value)

    async def go() -> None:
        async with opened(Lab(lab)) as context:
            await Judging(context).follow_master()
            await baseline(context)
            await play(context.of(context.settings.teams_at_work[0]))

    asyncio.run(go())


@asynccontextmanager
async def runs(context: Context, score: Callable[[Experiment], float] = lambda _: 3.5) -> AsyncIterator[None]:
    task = asyncio.create_task(screen_for_ever(context, score))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled() or task.exception() is None, task.exception()


async def desk(
    context: Context, rests: Callable[[], Coroutine[Any, Any, str | None]] | None = None
) -> tuple[Solo, Tools]:
    async def goes_on() -> str | None:
        return None

    worktree = context.lab.worktrees / "solo"
    solo = Solo(context, "solo", Playing("a model"), worktree, at_once=1, rests=rests or goes_on)
    await solo.fresh_tree()
    await context.store.set_agents([("solo", "solo", "solo", "a model")])

    async def call(name: str, **arguments: Any) -> str:
        (tool,) = (tool for tool in solo.tools() if tool.name == name)
        return (await tool(arguments)).text

    return solo, call


def test_the_offline_model_makes_its_experiments_in_one_conversation(bare: Path) -> None:
    async def play(context: Context) -> None:
        (member,) = muster(context)
        assert member.name == "solo" and member.role.name == "solo"
        await context.store.set_agents([("solo", "solo", "solo", member.models[0].name)])
        book = JobBook(context)
        job = await book.take("solo", "solo")
        assert job is not None and job.kind is JobKind.SOLO and job.wanted == 2
        prepared = await book.prepare(job, "solo", Playing(member.models[0].name), context.lab.worktrees / "solo")
        journal = AgentJournal(context.lab.agent_log("solo"), context.store, "solo", "solo", "solo")
        async with runs(context):
            came = await converse(
                member.models,
                member.role.prompt,
                prepared.brief,
                prepared.tools,
                journal,
                limits_of(member.team, member.role),
            )
        await journal.settle()
        assert isinstance(came, Finished) and came.arguments["summary"] == "2 experiments made"
        made = [one for one in await context.store.results() if one.id]
        assert [one.state for one in made] == [State.DISCARDED] * 2 and {one.team for one in made} == {"solo"}
        assert all(one.author == "solo" and one.branch and one.role_model for one in made)
        log = context.lab.agent_log("solo").read_text()
        assert "-> wait_for_result" in log and "is discarded: val_bpb 3.5000, +0.5000" in log

    in_solo_lab(bare, play, wave="2")


def test_one_experiment_is_begun_at_a_time_and_each_step_says_what_is_missing(bare: Path) -> None:
    async def play(context: Context) -> None:
        solo, call = await desk(context)
        for name, words in (("edit_file", {"path": "train.py", "old": "a", "new": "b"}), ("run_experiment", {})):
            with pytest.raises(ToolRefusal, match="call begin_experiment first"):
                await call(name, **words)
        with pytest.raises(ToolRefusal, match="Nothing is handed in"):
            await call("wait_for_result")
        told = await call("begin_experiment", **IDEA)
        assert "is begun; the tree at hand is master" in told
        for name, words in (("begin_experiment", IDEA), ("finish", {}), ("wait_for_result", {})):
            with pytest.raises(ToolRefusal, match="is begun: hand it in"):
                await call(name, **words)
        assert "taken back" in await call("abandon", reason="it cannot be done")
        (given_up,) = await context.store.in_states([State.GIVEN_UP])
        assert given_up.reason == "given up: it cannot be done" and solo.open_id is None
        with pytest.raises(ToolRefusal, match="is the same idea"):
            await call("begin_experiment", **IDEA)
        await call("begin_experiment", **{**IDEA, "title": "Another", "variable": "WIDTH"})
        await solo.let_go()
        (waiting,) = await context.store.in_states([State.QUEUED])
        assert waiting.title == "Another" and (await JobBook(context).take("solo", "solo")).experiment_id == waiting.id  # type: ignore[union-attr]

    in_solo_lab(bare, play)


def test_a_result_waits_for_its_run_and_a_promotion_makes_the_next_tree(bare: Path) -> None:
    async def play(context: Context) -> None:
        _, call = await desk(context)
        line = await rate_of(call)
        await call("begin_experiment", **IDEA)
        await call("edit_file", path="train.py", old=line, new=line.replace("=", "= 2 *", 1))
        assert "is handed in" in await call("run_experiment", summary="twice the rate")
        with pytest.raises(ToolRefusal, match="call wait_for_result"):
            await call("finish")
        with pytest.raises(ToolRefusal, match="handed in already"):
            await call("begin_experiment", **{**IDEA, "title": "Another", "variable": "WIDTH"})
        (ready,) = await context.store.in_states([State.READY])
        waiting = asyncio.create_task(call("wait_for_result"))
        await asyncio.sleep(0)
        assert not waiting.done()
        await context.store.annotate(ready.id, "a person's wish", actor="p", decision="merge")
        async with runs(context, lambda _: 2.5):
            told = await asyncio.wait_for(waiting, 60)
        assert told.startswith(f"Experiment {ready.id} is merged into master: val_bpb 2.5000, -0.5000")
        assert line.replace("=", "= 2 *", 1) in await call("read_file", path="train.py")

    in_solo_lab(bare, play)


def test_a_crash_comes_back_with_its_patch_and_its_log_and_is_mended_in_the_same_conversation(bare: Path) -> None:
    async def play(context: Context) -> None:
        _, call = await desk(context)
        line = await rate_of(call)
        await call("begin_experiment", **IDEA)
        await call("edit_file", path="train.py", old=line, new=line.replace("=", "= 2 *", 1))
        await call("run_experiment")
        (ready,) = await context.store.in_states([State.READY])
        assert ready.commit_id is not None
        run = await context.store.begin_run(ready, RunKind.SCREEN, 1, PLACE, ready.commit_id)
        directory = context.lab.run_directory(run.id)
        directory.mkdir(parents=True)
        (directory / "log").write_text("Traceback: no such rate\n")
        await context.store.end_run(run.id, Measurement("crash", "KeyError"))
        assert await Judging(context).judge() == 1
        told = await asyncio.wait_for(call("wait_for_result"), 60)
        assert f"Experiment {ready.id} comes back: its run crashed (KeyError)" in told and "> Traceback" in told
        assert "holds it as it ran" in told and "= 2 *" in await call("show_diff")
        with pytest.raises(ToolRefusal, match="very program"):
            await call("run_experiment")
        await call("edit_file", path="train.py", old="= 2 *", new="= 3 *")
        assert "is handed in" in await call("run_experiment")
        mended = await context.store.experiment(ready.id)
        assert mended is not None and (mended.state, mended.attempt) == (State.READY, 2)

    in_solo_lab(bare, play)


async def rate_of(call: Tools) -> str:
    """The line of train.py that sets the learning rate."""
    text = await call("read_file", path="train.py")
    return next(line for line in text.splitlines() if line.startswith("LEARNING_RATE"))


def test_a_team_that_rests_reads_its_results_and_begins_nothing(bare: Path) -> None:
    async def play(context: Context) -> None:
        async def spent() -> str | None:
            return "its 100 tokens are spent"

        _, call = await desk(context, spent)
        with pytest.raises(ToolRefusal, match="Nothing new begins: its 100 tokens are spent"):
            await call("begin_experiment", **IDEA)
        assert await call("finish") == "Done."

    in_solo_lab(bare, play)
