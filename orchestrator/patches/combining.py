"""Combinations: two patches that each scored better than their baseline, together on today's master."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from orchestrator.branches import Conflict
from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.store.records import Experiment
from orchestrator.store.states import MEASURED, State
from orchestrator.store.writer import Proposal

VARIABLE = "a combination"
_PARTS = re.compile(r"^experiments (\d+) and (\d+)$")
LONGEST_TITLE = 120


def parts_of(experiment: Experiment) -> tuple[int, int] | None:
    """The two experiments that this one combines; None when it is no combination."""
    found = _PARTS.match(experiment.source) if experiment.variable == VARIABLE else None
    return (int(found[1]), int(found[2])) if found else None


async def combination_of(context: Context, first: Experiment, second: Experiment, reason: str) -> Proposal:
    """The proposal of both together. Raises LabError where it makes no sense."""
    first, second = sorted((first, second), key=lambda one: one.id)
    if first.id == second.id:
        raise LabError("A combination needs two experiments.", "Name two that each gained something.")
    for one in (first, second):
        if one.state not in MEASURED or one.delta is None or one.delta >= 0:
            delta = "" if one.delta is None else f", {one.delta:+.4f}"
            raise LabError(
                f"Experiment {one.id} ({one.state}{delta}) has not scored better than its baseline.",
                "Combine what gained something each by itself.",
            )
    if first.state is State.PROMOTED and second.state is State.PROMOTED:
        raise LabError("Master holds both already.", "Combine what it does not hold: a near miss with another.")
    source = f"experiments {first.id} and {second.id}"
    twin = await context.store.row(
        "SELECT id, state FROM experiments WHERE source = ? AND variable = ? AND state != 'dropped' AND line = ?",
        (source, VARIABLE, context.line),
    )
    if twin is not None:
        raise LabError(f"Experiment {twin['id']} ({twin['state']}) combines them already.", "Choose two others.")
    title = f"{first.id} and {second.id} together: {first.title}; {second.title}"
    return Proposal(
        title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 3]}...",
        f"{first.title} ({first.delta:+.4f}) and {second.title} ({second.delta:+.4f}) add up: {reason}",
        source,
        VARIABLE,
        f"The patches of experiments {first.id} and {second.id} on today's master, and nothing else.",
    )


async def put_together(context: Context, experiment: Experiment, worktree: Path) -> str:
    """Bring the parts of a combination into a worktree of master, as far as git can; says what the worker finds there.

    Empty when the experiment is no combination.
    """
    parts = parts_of(experiment)
    if parts is None:
        return ""
    base = await asyncio.to_thread(context.repository.head_of, worktree)
    head, left = base, list[int]()
    for number in parts:
        part = await context.store.experiment(number)
        if part is None or part.commit_id is None or part.state is State.PROMOTED:
            continue  # master holds it
        moved = await asyncio.to_thread(context.repository.rebase, part.commit_id, head)
        if isinstance(moved, Conflict):
            left.append(number)
        else:
            head = moved
    diff = await asyncio.to_thread(context.repository.diff, base, head)
    if diff.strip():
        await asyncio.to_thread(context.repository.apply_patch, worktree, diff, context.settings.target.editable)
    if not left:
        return "The tree at hand holds the patches of both already: look at them with show_diff, then check and submit."
    missing = " and ".join(f"experiment {number}" for number in left)
    return f"The patch of {missing} does not fit by itself: read it with read_diff and bring its change in by hand."
