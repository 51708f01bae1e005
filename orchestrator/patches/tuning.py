"""Numeric constants are tuned by TPE over the lab's own results; each value becomes an experiment that is ready to run.

No language model writes such a patch: the constant is set where it stands, the guard looks at it like at any other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.guard import program_hash
from orchestrator.patches.line_ends import write_source
from orchestrator.patches.submitting import against_guard, commit_patch
from orchestrator.store.records import Experiment
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal
from roles.offline.constants import constants, with_constant
from roles.offline.tuner import SOURCE, TUNER, Move, Tuner, move_of


async def tune(
    context: Context, name: str, count: int, *, actor: str, team: str, priority: int, reason: str
) -> list[Experiment]:
    """Up to `count` experiments with new values of the constant `name`. Raises LabError where there are none."""
    master = await context.store.master(context.line)
    if master is None:
        raise LabError("The lab has no master yet.", "Wait until it is measured.")
    sources = await context.sources(master.commit_id)
    profile = context.settings.lab.profile
    known = numeric_constants(context, sources)
    path = next((path for path, names in known.items() if name in names), None)
    if path is None:
        listed = ", ".join(sorted({one for names in known.values() for one in names})) or "none"
        raise LabError(f"There is no numeric constant {name!r}.", f"The program has: {listed}.")
    tried = await _tried(context, name, path)
    taken = {str(one["title"]).lower() for one in tried if one["state"] != State.DROPPED}
    tuner = Tuner(sources[path], profile, seed=len(tried))
    moves = await asyncio.to_thread(tuner.moves_of, name, count, tried, taken)
    if not moves:
        raise LabError(f"The tuner finds no new value of {name} that is worth a run.", "Choose another constant.")
    made = []
    for move in moves:
        proposal = Proposal(
            move.title,
            f"By what earlier values did, {move.name} = {move.new} may do better: {reason}",
            SOURCE,
            move.name,
            f"Set {move.name} to {move.new} for profile {profile}",
        )
        experiment = await context.store.add_experiment(
            proposal, author=actor, team=team, priority=priority, state=State.QUEUED, line=context.line
        )
        made.append(await _patched(context, experiment, move, path, master.commit_id))
    return made


def numeric_constants(context: Context, sources: Mapping[str, str]) -> dict[str, list[str]]:
    """The names of the constants that can be tuned, by file."""
    profile = context.settings.lab.profile
    return {path: [one.name for one in constants(text, profile)] for path, text in sources.items()}


async def _tried(context: Context, name: str, path: str) -> list[dict[str, Any]]:
    """Every experiment as the tuner reads it: one that varied the constant is titled by the values, whatever whoever
    proposed it has called it."""
    rows = await context.store.rows(
        "SELECT title, variable, delta, state, parent, commit_id FROM experiments WHERE id > 0 AND line = ?"
        " ORDER BY id",
        (context.line,),
    )
    found = [dict(row) for row in rows]
    for one in found:
        if one["variable"].strip() == name and move_of(one["title"]) is None and one["parent"] and one["commit_id"]:
            old, new = [await _value(context, name, path, one[commit]) for commit in ("parent", "commit_id")]
            if old is not None and new is not None and old != new:
                one["title"] = Move(name, old, new).title
    return found


async def _value(context: Context, name: str, path: str, commit: str) -> str | None:
    """What the constant stands at in a commit; None where it is no number there, or the commit is lost."""
    with contextlib.suppress(LabError):
        text = (await context.sources(commit)).get(path, "")
        for one in constants(text, context.settings.lab.profile):
            if one.name == name:
                return one.show(one.value)
    return None


async def _patched(context: Context, experiment: Experiment, move: Move, path: str, base: str) -> Experiment:
    worktree = context.lab.worktrees / f"tune-{uuid4().hex[:8]}"
    await context.store.move(experiment.id, State.PATCHING, "the constant is set by the harness itself")
    await asyncio.to_thread(context.repository.checkout_commit, worktree, base)
    try:
        before = await context.sources(base)
        changed = with_constant(before[path], move.name, move.new, context.settings.lab.profile)
        assert changed is not None, "the tuner names constants that are there"
        await asyncio.to_thread(write_source, worktree / path, changed)
        after = {**before, path: changed}
        refused = await against_guard(context, before, after, experiment.id, worktree)
        if refused:
            return await context.store.move(
                experiment.id, State.REJECTED, "rejected by the guard: " + " ".join(refused)
            )
        await commit_patch(
            context,
            experiment,
            worktree,
            base,
            model=TUNER,
            actor="autolab",
            reason=f"{move.name} set to {move.new}",
            program=program_hash(after),
        )
        return await context.store.move(experiment.id, State.READY, "one constant, and the guard let it pass")
    finally:
        with contextlib.suppress(LabError):
            await asyncio.to_thread(context.repository.remove_worktree, worktree)
