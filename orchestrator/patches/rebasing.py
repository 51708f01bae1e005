"""Bringing an experiment onto the present master: a patch is measured on what it would be merged into."""

from __future__ import annotations

import asyncio

from orchestrator.branches import Conflict
from orchestrator.context import Context
from orchestrator.guard import program_hash
from orchestrator.store.records import Experiment
from orchestrator.store.states import State


async def bring_up_to_master(context: Context, experiment: Experiment) -> Experiment:
    """Rebase a stale branch onto its master; it is `ready` afterwards, to be measured (again).

    With a conflict the experiment goes back to a worker; one that takes a win out of master is over, for what a worker
    would make of it is not what a person has decided. Does nothing when the branch stands on master already.
    """
    master = await context.store.master(experiment.line)
    assert master is not None and experiment.commit_id is not None and experiment.branch is not None
    if experiment.parent == master.commit_id:
        return experiment
    commit = await asyncio.to_thread(context.repository.rebase, experiment.commit_id, master.commit_id)
    measured = "measured on an older master; " if experiment.state is not State.READY else ""
    if isinstance(commit, Conflict):
        if experiment.reverses is not None:
            paths = ", ".join(commit.paths)
            return await _end(context, experiment, f"{measured}master has changed since in the same lines of {paths}")
        return await context.store.move(
            experiment.id,
            State.QUEUED,
            f"{measured}conflicts with master in {', '.join(commit.paths)}: goes back to a worker",
            commit_id=None,
            parent=None,
        )
    sources = await context.sources(commit)
    if sources == await context.sources(master.commit_id):
        if experiment.reverses is not None:
            return await _end(context, experiment, f"{measured}master is without it already")
        return await context.store.move(
            experiment.id,
            State.QUEUED,
            f"{measured}master has this change already: goes back to a worker",
            commit_id=None,
            parent=None,
        )
    await asyncio.to_thread(context.repository.set_branch, experiment.branch, commit)
    return await context.store.move(
        experiment.id,
        State.READY,
        f"{measured}rebased onto master {master.commit_id[:9]}, to be measured there",
        commit_id=commit,
        parent=master.commit_id,
        program=program_hash(sources),
    )


_OVER = {
    State.READY: State.REJECTED,
    State.SCORED: State.DISCARDED,
    State.CONFIRMING: State.NOT_CONFIRMED,
}
"""How one ends that cannot be brought onto master."""


async def _end(context: Context, experiment: Experiment, why: str) -> Experiment:
    reason = f"experiment {experiment.reverses} cannot be taken out as it was asked for: {why}"
    return await context.store.move(experiment.id, _OVER[experiment.state], reason)
