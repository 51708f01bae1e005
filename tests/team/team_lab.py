"""A lab on disk with experiments that are on record, and an agent's tools in it, for tests of the tools alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.store.records import Experiment, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal
from roles.errors import ToolRefusal
from roles.tools import Tool

PLACE = Place("cpu0", "a core", "bubblewrap")


def in_lab(lab: Path, play: Callable[[Context], Awaitable[None]]) -> None:
    """Play in the lab's engine room, with nobody else in it."""

    async def whole() -> None:
        async with opened(Lab(lab)) as context:
            await play(context)

    asyncio.run(whole())


async def baseline(context: Context, score: float = 3.0) -> str:
    """The start, measured once; returns its commit."""
    start = await context.store.experiment(0)
    assert start is not None and start.commit_id is not None
    run = await context.store.begin_run(start, RunKind.BASELINE, 1, PLACE, start.commit_id)
    await context.store.end_run(run.id, Measurement("scored", "on record", score))
    return start.commit_id


async def waiting(context: Context, title: str, state: State = State.QUEUED, **more: str) -> Experiment:
    proposal = Proposal(title, "It may help.", more.get("source", "a test"), more.get("variable", title))
    team = more.get("team", "offline")
    return await context.store.add_experiment(proposal, author="researcher", team=team, state=state)


async def ended(
    context: Context, title: str, edit: tuple[str, str], score: float | None, state: State, **more: str
) -> Experiment:
    """An experiment with a real branch off master that ran once and ended so."""
    store, repository = context.store, context.repository
    master = await store.master()
    assert master is not None
    made = await waiting(context, title, **more)
    tree = context.lab.worktrees / f"made-{made.id}"
    repository.checkout_commit(tree, master.commit_id)
    text = (tree / "train.py").read_text()
    assert text.count(edit[0]) == 1, edit
    (tree / "train.py").write_text(text.replace(*edit))
    commit = repository.commit(tree, title, "Because.", {"Experiment": str(made.id)}, "worker-1")
    repository.remove_worktree(tree)
    branch = repository.set_branch(f"exp/{made.id}-test", commit)
    ready = await store.move(
        made.id, State.READY, "ready", commit_id=commit, parent=master.commit_id, branch=branch, role_model="a model"
    )
    run = await store.begin_run(ready, RunKind.SCREEN, 1, PLACE, commit)
    outcome = "scored" if score is not None else "crash"
    await store.end_run(run.id, Measurement(outcome, f"it {outcome}", score))
    if score is not None:
        await store.move(made.id, State.SCORED, "scored")
    if state is State.NOT_CONFIRMED:
        await store.move(made.id, State.CONFIRMING, "once more")
    return await store.move(made.id, state, f"it was {state}")


async def call(tools: Sequence[Tool], wanted: str, /, **arguments: Any) -> str:
    """The answer of a tool, or its refusal."""
    (tool,) = (tool for tool in tools if tool.name == wanted)
    try:
        return (await tool(arguments)).text
    except ToolRefusal as refusal:
        return f"refused: {refusal}"


async def told_of(context: Context, experiment_id: int) -> str:
    """Its story, one event a line."""
    return "\n".join(event.reason for event in await context.store.events(experiment_id=experiment_id))
