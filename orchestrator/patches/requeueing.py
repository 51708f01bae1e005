"""A new attempt of an experiment: its patch anew on the present master, on a branch of its own; or, while it waits for
its first run, another patch or hypothesis in the place of what it has."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from orchestrator.branches import Conflict
from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.guard import program_hash
from orchestrator.patches.offline import OFFLINE_WORKERS, only_offline_workers
from orchestrator.patches.submitting import against_guard, applied_to_master, commit_on_branch
from orchestrator.remedies import instead_of_requeueing, no_other_change, stands
from orchestrator.runs.log_text import in_one_line, inert
from orchestrator.store.records import Experiment
from orchestrator.store.states import EDITABLE, ENDED, IllegalMove, State

WORDS = ("title", "hypothesis")


async def requeue(context: Context, experiment: Experiment, words: dict[str, Any], actor: str) -> str:
    """As `_requeued`, and what the experiment was is kept for who takes the order back."""
    answer = await _requeued(context, experiment, words, actor)
    await context.store.keep_attempt(experiment)
    return answer


async def _requeued(context: Context, experiment: Experiment, words: dict[str, Any], actor: str) -> str:
    """Queue attempt n + 1; runs, branch and results of the attempts before stay as they are.

    `words` may say what is different: `patch`, a unified diff against master that takes the place of the one before,
    `title` and `hypothesis`. With another hypothesis alone a worker makes the patch anew, unless it is a person's own:
    that stays, and so does any with another title alone. An experiment that waits can be changed as well; one without
    another patch stays the attempt that it is. Raises LabError.
    """
    title = in_one_line(str(words.get("title") or "")).strip() or experiment.title
    hypothesis = inert(str(words.get("hypothesis") or "")).strip() or experiment.hypothesis
    edited = replace(experiment, title=title, hypothesis=hypothesis)
    changed = bool(words.get("patch")) or edited != experiment
    if changed and experiment.reverses is not None:
        raise no_other_change(experiment)
    if not (changed and experiment.state in EDITABLE):
        _require_outcome(experiment)
    stays = experiment.commit_id is not None and (experiment.patch is not None or hypothesis == experiment.hypothesis)
    try:
        if words.get("patch"):
            return await _with_patch(context, edited, str(words["patch"]), actor)
        if experiment.state in (State.PROPOSED, State.QUEUED) or (stays and experiment.state in EDITABLE):
            return await _reworded(context, experiment, edited, actor)
        if stays or hypothesis == experiment.hypothesis:
            return await new_attempt(context, edited, actor)
        return await _for_a_worker(context, replace(edited, edit=""), actor)  # the edit was for the other hypothesis
    except IllegalMove as late:
        raise LabError(
            f"Experiment {experiment.id} went on meanwhile ({late}).", "Look at it, and try again."
        ) from None


async def _reworded(context: Context, experiment: Experiment, edited: Experiment, actor: str) -> str:
    """It waits on where it is, with other words."""
    words = {name: getattr(edited, name) for name in WORDS if getattr(edited, name) != getattr(experiment, name)}
    changed = " and ".join(words)
    await context.store.annotate(experiment.id, f"{actor} has changed the {changed}", actor=actor, **words)
    then = "; its patch stays" if experiment.commit_id is not None else await _in_vain(context)
    return f"experiment {experiment.id} waits with your {changed}{then}"


async def _with_patch(context: Context, experiment: Experiment, diff: str, actor: str) -> str:
    attempt = experiment.attempt + (experiment.branch is not None or experiment.state in ENDED)
    async with applied_to_master(context, diff, experiment.line) as (worktree, base, before, after):
        refused = await against_guard(context, before, after, experiment.id, worktree)
        if refused:
            raise LabError("The guard refuses the patch: " + " ".join(refused), "Change it and try again.")
        branch, commit = await commit_on_branch(
            context, replace(experiment, attempt=attempt), worktree, base, model="", actor=actor
        )
    told, state = f"attempt {attempt}, asked for by {actor}, with a patch of their own", experiment.state
    if state is State.PROPOSED:
        await context.store.move(experiment.id, State.QUEUED, told, actor=actor, only_from=state)
        state = State.QUEUED
    await context.store.move(
        experiment.id,
        State.READY,
        told,
        actor=actor,
        only_from=state,
        attempt=attempt,
        commit_id=commit,
        parent=base,
        branch=branch,
        patch=diff,
        title=experiment.title,
        hypothesis=experiment.hypothesis,
        edit=experiment.edit if experiment.patch is not None else f"a patch of {actor}'s own",
        role_model="",
        program=program_hash(after),
    )
    return f"experiment {experiment.id} is ready as attempt {attempt} on {branch}, with your patch"


async def _for_a_worker(context: Context, experiment: Experiment, actor: str) -> str:
    """Without an edit of its own the built-in model makes nothing of it, and that is told where it waits."""
    attempt = experiment.attempt + 1
    but = "" if experiment.edit else await _in_vain(context)
    making = "is to make" if but else "makes"
    await context.store.move(
        experiment.id,
        State.QUEUED,
        f"attempt {attempt}, asked for by {actor}: a worker {making} the patch anew{but}",
        actor=actor,
        only_from=experiment.state,
        attempt=attempt,
        commit_id=None,
        parent=None,
        branch=None,
        title=experiment.title,
        hypothesis=experiment.hypothesis,
        priority=max(experiment.priority, 0),
    )
    return f"experiment {experiment.id} is queued as attempt {attempt}; a worker {making} its patch anew{but}"


async def _in_vain(context: Context) -> str:
    """What stands behind the promise of a patch where no worker can make it."""
    return f", but {OFFLINE_WORKERS}" if await only_offline_workers(context.store) else ""


def _require_outcome(experiment: Experiment) -> None:
    """Raise LabError unless everything about the experiment is over and it is no part of master."""
    if experiment.state not in ENDED:
        raise LabError(f"{stands(experiment)} and has no outcome yet.", instead_of_requeueing(experiment))
    if experiment.taken_out_by is not None:
        raise LabError(
            f"Experiment {experiment.id} was taken out of master by experiment {experiment.taken_out_by}.",
            f"`autolab revert {experiment.taken_out_by}` puts it back, measured anew.",
        )
    if experiment.state is State.PROMOTED:
        raise LabError(
            f"Experiment {experiment.id} is part of master already.",
            "`autolab add --help` shows how to add what builds on it.",
        )


async def new_attempt(context: Context, experiment: Experiment, actor: str) -> str:
    """Queue attempt n + 1 with the same patch, or for a worker where it does not apply to the present master; a
    person's own is not thrown away for that (LabError)."""
    _require_outcome(experiment)
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
        if isinstance(rebased, Conflict) and experiment.reverses is not None:
            again = "revert" if experiment.is_revert else "ablate"
            raise LabError(
                f"Experiment {experiment.id} was made for an older master and conflicts with the present one.",
                f"`autolab {again} {experiment.reverses}` asks for the same of the present one.",
            )
        if isinstance(rebased, Conflict) and experiment.patch is not None:
            raise LabError(
                f"The patch of experiment {experiment.id}, a person's own, conflicts with the present master.",
                f"Edit it: R in the room, or `autolab requeue {experiment.id} --patch FILE`.",
            )
        commit = None if isinstance(rebased, Conflict) else rebased
    if commit is None:
        return await _for_a_worker(context, experiment, actor)
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
        title=experiment.title,
        hypothesis=experiment.hypothesis,
        program=program_hash(await context.sources(commit)),
    )
    return f"experiment {experiment.id} is ready as attempt {attempt} on {branch}"
