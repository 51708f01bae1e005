"""Patches on their way to a branch: a worker's, and a person's own diff."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.guard import program_hash, refusals, touches_model
from orchestrator.patches.sizing import against_size
from orchestrator.store.records import Decision, Experiment
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal

UNTOLD = (State.KILLED, State.LOST, State.REJECTED)
"""An experiment in such a state has not told what its program is worth: the same may be tried again."""

PERSON_PRIORITY = 100
"""A person's own experiment goes before what the agents think of."""


async def against_guard(
    context: Context,
    before: Mapping[str, str],
    after: Mapping[str, str],
    experiment_id: int,
    worktree: Path,
    *,
    new: bool = True,
) -> list[str]:
    """Why a patch may not run, one sentence each: the guard's rules, that the program is `new`, and that it fits."""
    contract = not context.settings.optimised().self_reported
    refused = await asyncio.to_thread(refusals, before, after, contract=contract)
    program = await asyncio.to_thread(program_hash, after)
    if new and not refused and program is not None:
        twin = await context.store.same_program(program, experiment_id)
        if twin is not None and twin.state not in UNTOLD:
            refused = [f"The patch makes the very program of experiment {twin.id} ({twin.state})."]
    if refused or not any(touches_model(before[path], after[path]) for path in before if path == "train.py"):
        return refused
    return await against_size(context, worktree)


async def commit_patch(
    context: Context,
    experiment: Experiment,
    worktree: Path,
    base: str,
    *,
    model: str,
    actor: str,
    reason: str,
    program: str | None,
) -> str:
    """Commit what stands in the worktree on the experiment's branch; returns the commit."""
    branch = context.repository.branch_name(experiment.id, experiment.attempt, experiment.title)
    commit = await asyncio.to_thread(
        context.repository.commit,
        worktree,
        experiment.title,
        experiment.hypothesis,
        {
            "Experiment": str(experiment.id),
            "Parent": base,
            "Team": experiment.team or "none",
            "Role-Model": model or "none",
        },
        actor,
    )
    await asyncio.to_thread(context.repository.set_branch, branch, commit)
    await context.store.annotate(
        experiment.id,
        reason,
        actor=actor,
        branch=branch,
        commit_id=commit,
        parent=base,
        program=program,
        role_model=model,
    )
    return commit


async def add_patch(context: Context, words: dict[str, Any], actor: str) -> str:
    """A person's own experiment from a unified diff against master; answers with its id. See `add_diff`."""
    title, diff = " ".join(str(words["title"]).split()), str(words["patch"])
    if not title:
        raise LabError("The experiment has no title.", "Give one with --title.")
    proposal = Proposal(title, str(words["hypothesis"]).strip(), actor, patch=diff)
    return str(await add_diff(context, proposal, diff, actor))


async def add_diff(
    context: Context,
    proposal: Proposal,
    diff: str,
    actor: str,
    *,
    decision: Decision = Decision.NONE,
    new: bool = True,
    line: str = "",
) -> int:
    """An experiment that a person asked for, from a unified diff against the master of `line`; returns its id.

    `new`: it must be a program that was never run. A diff that does not apply, or that touches other files, is refused
    and leaves nothing behind (LabError). One that breaks a rule of the guard becomes an experiment that is `rejected`,
    with the reason.
    """
    master = await context.store.master(line)
    if master is None:
        raise LabError("The lab has no master yet.", "Start it once with `autolab start`.")
    worktree = context.lab.worktrees / f"add-{uuid4().hex[:8]}"
    await asyncio.to_thread(context.repository.checkout_commit, worktree, master.commit_id)
    try:
        await asyncio.to_thread(context.repository.apply_patch, worktree, diff, context.settings.target.editable)
        before = await context.sources(master.commit_id)
        after = {path: await asyncio.to_thread((worktree / path).read_text, "utf-8", "replace") for path in before}
        experiment = await context.store.add_experiment(
            proposal,
            author=actor,
            team="person",
            priority=PERSON_PRIORITY,
            state=State.QUEUED,
            decision=decision,
            line=line,
        )
        await context.store.move(experiment.id, State.PATCHING, "the diff is put on a branch", actor=actor)
        await commit_patch(
            context,
            experiment,
            worktree,
            master.commit_id,
            model="",
            actor=actor,
            reason="a person's own patch",
            program=program_hash(after),
        )
        refused = await against_guard(context, before, after, experiment.id, worktree, new=new)
        if refused:
            await context.store.move(experiment.id, State.REJECTED, "rejected by the guard: " + " ".join(refused))
        else:
            await context.store.move(experiment.id, State.READY, "a person's own patch; the guard let it pass")
        return experiment.id
    finally:
        with contextlib.suppress(LabError):
            await asyncio.to_thread(context.repository.remove_worktree, worktree)
