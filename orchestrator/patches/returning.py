"""What a worker is told of an experiment that came back into the queue: why, and the patch that it had."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.store.records import Experiment

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
    repository = context.repository
    if experiment.branch is None or not repository.exists(f"refs/heads/{experiment.branch}"):
        return ""
    try:
        commit = repository.head(f"refs/heads/{experiment.branch}")
        parents = repository.parents(commit)
        return repository.diff(parents[0], commit)[:LONGEST_DIFF] if len(parents) == 1 else ""
    except LabError:
        return ""


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
