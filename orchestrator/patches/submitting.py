"""Patches on their way to a branch: a worker's, and a person's own diff."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.given import priority
from orchestrator.guard import constants_alone, program_hash, refusals, touches_model
from orchestrator.patches.line_ends import read_exact
from orchestrator.patches.sizing import against_size
from orchestrator.runs.log_text import in_one_line, inert
from orchestrator.store.records import Decision, Experiment
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal
from orchestrator.team_settings import PERSON

UNTOLD = (State.KILLED, State.LOST, State.REJECTED, State.GIVEN_UP)
"""An experiment in such a state has not told what its program is worth: the same may be tried again."""

PERSON_PRIORITY = 100
"""A person's own experiment goes before what the agents think of."""

PERSONS_OWN = "a person's own patch"

NO_EXPERIMENT = -1
"""Stands for an experiment that is not made yet, where the guard looks for twins."""


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
    branch, commit = await commit_on_branch(context, experiment, worktree, base, model=model, actor=actor)
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


async def commit_on_branch(
    context: Context, experiment: Experiment, worktree: Path, base: str, *, model: str, actor: str
) -> tuple[str, str]:
    """Commit what stands in the worktree and let the branch of the experiment's attempt stand on it: both names."""
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
    return await asyncio.to_thread(context.repository.set_branch, branch, commit), commit


async def add_own(context: Context, words: dict[str, Any], actor: str) -> str:
    """A person's own experiment; answers with its id.

    With `patch`, a unified diff against master, it is ready to run (`add_diff`); without one it is a hypothesis that a
    worker makes into a patch. `strict`: what the guard refuses is refused here, and nothing is left behind.
    """
    title, hypothesis = in_one_line(str(words["title"])), inert(str(words["hypothesis"])).strip()
    if not title:
        raise LabError("The experiment has no title.", "Give one with --title.")
    if not hypothesis:
        raise LabError("The experiment has no hypothesis.", "Say what you expect, and why, with --hypothesis.")
    source = in_one_line(str(words.get("source") or "")) or actor
    diff = str(words.get("patch") or "")
    proposal = Proposal(title, hypothesis, source, patch=diff or None)
    urgency = priority(words.get("priority", PERSON_PRIORITY))
    if diff:
        number = await add_diff(
            context, proposal, diff, actor, priority=urgency, strict=bool(words.get("strict", False))
        )
        return str(number)
    made = await context.store.add_experiment(proposal, author=actor, team=PERSON, priority=urgency, state=State.QUEUED)
    return str(made.id)


async def add_diff(
    context: Context,
    proposal: Proposal,
    diff: str,
    actor: str,
    *,
    decision: Decision = Decision.NONE,
    new: bool = True,
    priority: int = PERSON_PRIORITY,
    strict: bool = False,
    line: str = "",
    whose: str = PERSONS_OWN,
) -> int:
    """An experiment that a person asked for, from a unified diff against the master of `line`; returns its id.

    `whose` says in its story where the diff is from.
    `new`: it must be a program that was never run. A diff that does not apply, or that touches other files, is refused
    and leaves nothing behind (LabError). One that breaks a rule of the guard becomes an experiment that is `rejected`,
    with the reason; `strict`, it is refused as well.
    """
    async with applied_to_master(context, diff, line) as (worktree, base, before, after):
        if strict and (refused := await against_guard(context, before, after, NO_EXPERIMENT, worktree, new=new)):
            raise LabError("The guard refuses the patch: " + " ".join(refused), "Change it and try again.")
        experiment = await context.store.add_experiment(
            proposal,
            author=actor,
            team=PERSON,
            priority=priority,
            state=State.QUEUED,
            decision=decision,
            line=line,
        )
        await context.store.move(experiment.id, State.PATCHING, "the diff is put on a branch", actor=actor)
        await commit_patch(
            context,
            experiment,
            worktree,
            base,
            model="",
            actor=actor,
            reason=whose,
            program=program_hash(after),
        )
        refused = await against_guard(context, before, after, experiment.id, worktree, new=new)
        if refused:
            await context.store.move(experiment.id, State.REJECTED, "rejected by the guard: " + " ".join(refused))
        else:
            several = _several(before, after) if whose == PERSONS_OWN else ""
            await context.store.move(experiment.id, State.READY, f"{whose}; the guard let it pass{several}")
        return experiment.id


_THOUGH = ", though it changes "


def caution(reason: str) -> str:
    """What a person should know of their own patch, from its reason: it begins with a comma; empty for nothing."""
    return "".join(reason.partition(_THOUGH)[1:])


def _several(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """That a person's patch is more than one change: they may know why, and should know what it costs."""
    names = constants_alone(before, after)
    if len(names) < 2:
        return ""
    return f"{_THOUGH}{' and '.join(names)} at once: which of them does it will not be known"


@asynccontextmanager
async def applied_to_master(
    context: Context, diff: str, line: str = ""
) -> AsyncIterator[tuple[Path, str, dict[str, str], dict[str, str]]]:
    """A worktree of the master of `line` with a person's diff in it: where, at which commit, the editable files before
    and after.

    Raises LabError: the diff does not apply, or touches other files.
    """
    master = await context.store.master(line)
    if master is None:
        raise LabError("The lab has no master yet.", "Start it once with `autolab start`.")
    worktree = context.lab.worktrees / f"add-{uuid4().hex[:8]}"
    await asyncio.to_thread(context.repository.checkout_commit, worktree, master.commit_id)
    try:
        await asyncio.to_thread(context.repository.apply_patch, worktree, diff, context.settings.target.editable)
        before = await context.sources(master.commit_id)
        after = {path: await asyncio.to_thread(read_exact, worktree / path) for path in before}
        yield worktree, master.commit_id, before, after
    finally:
        with contextlib.suppress(LabError):
            await asyncio.to_thread(context.repository.remove_worktree, worktree)
