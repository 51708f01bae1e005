"""Experiments that came back into the queue: what a worker is told of them, and what stays when it gives up."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.store.records import Experiment
from orchestrator.store.states import State

LONGEST_DIFF = 12_000
"""Characters."""

RETRIES = 2
"""So often an experiment whose worker came to no end goes back into the queue."""

UNFINISHED = "goes back into the queue"


@dataclass(frozen=True, slots=True)
class Returned:
    """Why it came back, and its earlier patch as a unified diff; empty when there is none."""

    reason: str
    diff: str


async def returned(context: Context, experiment: Experiment) -> Returned | None:
    """None when this is its first way through the queue."""
    row = await context.store.row(
        "SELECT reason FROM events WHERE kind = 'state' AND experiment_id = ? AND after = 'queued' AND before IN"
        " ('ready', 'scored', 'confirming', 'patching') ORDER BY seq DESC LIMIT 1",
        (experiment.id,),
    )
    if row is None:
        return None
    return Returned(str(row["reason"]), await asyncio.to_thread(_old_patch, context, experiment))


def _old_patch(context: Context, experiment: Experiment) -> str:
    with contextlib.suppress(LabError):
        parent, commit = _on_branch(context, experiment)
        return context.repository.diff(parent, commit)[:LONGEST_DIFF]
    return ""


def _on_branch(context: Context, experiment: Experiment) -> tuple[str, str]:
    """The parent and the commit that the experiment's branch holds. Raises LabError: there is no such patch."""
    repository = context.repository
    if experiment.branch is not None and repository.exists(f"refs/heads/{experiment.branch}"):
        commit = repository.head(f"refs/heads/{experiment.branch}")
        parents = repository.parents(commit)
        if len(parents) == 1:
            return parents[0], commit
    raise LabError(f"Experiment {experiment.id} has no patch on a branch of its own.")


async def give_up(context: Context, experiment: Experiment, why: str, actor: str) -> Experiment:
    """No patch came of it. What its branch holds of an earlier one, which master went past, stays the experiment's."""
    kept = await asyncio.to_thread(_kept, context, experiment)
    own = kept and experiment.patch is not None and not experiment.role_model
    reason = f"given up: {why}"
    if own:
        reason = (
            f"given up: master has changed in the lines of its patch, and the worker says: {why}; the patch is kept,"
            " and R (`autolab requeue ID --patch FILE`) puts it on today's master"
        )
    return await context.store.move(experiment.id, State.GIVEN_UP, reason, actor=actor, **kept)


def _kept(context: Context, experiment: Experiment) -> dict[str, Any]:
    with contextlib.suppress(LabError):
        parent, commit = _on_branch(context, experiment)
        return {"commit_id": commit, "parent": parent}
    return {}


async def times_unfinished(context: Context, experiment: Experiment) -> int:
    """How often workers came to no end with it, since it was (re)queued by anybody else."""
    row = await context.store.row(
        "SELECT count(*) AS n FROM events WHERE kind = 'state' AND experiment_id = ? AND before = 'patching'"
        " AND after = 'queued' AND reason LIKE ? AND seq > (SELECT coalesce(max(seq), 0) FROM events WHERE"
        " kind = 'state' AND experiment_id = ? AND after = 'queued' AND before NOT IN ('patching', 'proposed'))",
        (experiment.id, f"{UNFINISHED}%", experiment.id),
    )
    assert row is not None
    return int(row["n"])
