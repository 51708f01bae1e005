"""A new attempt of an experiment: its patch anew on the present master, on a branch of its own."""

from __future__ import annotations

import asyncio

from orchestrator.branches import Conflict
from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.guard import program_hash
from orchestrator.store.records import Experiment
from orchestrator.store.states import ENDED, State


async def new_attempt(context: Context, experiment: Experiment, actor: str) -> str:
    """Queue attempt n + 1; runs, branch and results of the attempts before stay as they are."""
    if experiment.state not in ENDED:
        raise LabError(
            f"Experiment {experiment.id} is {experiment.state} and has no outcome yet.", "Kill or drop it first."
        )
    if experiment.state is State.PROMOTED:
        raise LabError(f"Experiment {experiment.id} is part of master already.", "Propose a follow-up instead.")
    attempt = experiment.attempt + 1
    master = await context.store.master(experiment.line)
    assert master is not None
    commit = None
    if experiment.commit_id is not None:
        rebased = (
            experiment.commit_id
            if experiment.parent == master.commit_id
            else await asyncio.to_thread(context.repository.rebase, experiment.commit_id, master.commit_id)
        )
        commit = None if isinstance(rebased, Conflict) else rebased
    if commit is None:
        await context.store.move(
            experiment.id,
            State.QUEUED,
            f"attempt {attempt}, asked for by {actor}: a worker makes the patch anew",
            actor=actor,
            attempt=attempt,
            commit_id=None,
            parent=None,
            branch=None,
            priority=max(experiment.priority, 0),
        )
        return f"experiment {experiment.id} is queued as attempt {attempt}; a worker makes its patch anew"
    branch = context.repository.branch_name(experiment.id, attempt, experiment.title)
    await asyncio.to_thread(context.repository.set_branch, branch, commit)
    await context.store.move(
        experiment.id,
        State.READY,
        f"attempt {attempt}, asked for by {actor}",
        actor=actor,
        attempt=attempt,
        commit_id=commit,
        parent=master.commit_id,
        branch=branch,
        program=program_hash(await context.sources(commit)),
    )
    return f"experiment {experiment.id} is ready as attempt {attempt} on {branch}"
