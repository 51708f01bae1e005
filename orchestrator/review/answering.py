"""A person's review of the wins: accepted ones carry a mark, and a change is picked onto another branch."""

from __future__ import annotations

import asyncio
import json

from orchestrator.branches.picking import is_in, pick, pick_name, resolve
from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.review.wins import accepted_by, mark_key
from orchestrator.store.records import REVERSAL, Decision, Experiment, utc_now
from orchestrator.store.states import State, in_words


async def accept(context: Context, experiment: Experiment, actor: str) -> str:
    """Mark a win as reviewed by a person; master stays as it is. Raises LabError."""
    if experiment.state is not State.PROMOTED or experiment.parent is None:
        word = "a starting point of this lab" if experiment.state is State.PROMOTED else in_words(experiment.state)
        raise LabError(
            f"Experiment {experiment.id} is {word}; only what master took is reviewed.",
            "`autolab review` lists the wins.",
        )
    if experiment.is_revert:
        done = f"takes experiment {experiment.reverses} out of master"
        if experiment.puts_back is not None:
            done = f"puts experiment {experiment.puts_back} back into master"
        raise LabError(
            f"Experiment {experiment.id} {done}: it is no win to review.",
            "`autolab review` lists the wins.",
        )
    _require_standing(experiment)
    before = await accepted_by(context.store, experiment.id)
    if before is not None:
        raise LabError(f"Experiment {experiment.id} was accepted by {before.actor} already.", "The mark stays.")
    mark = json.dumps({"actor": actor, "at": utc_now()})
    await context.store.set_meta(mark_key(experiment.id), mark)
    return f"experiment {experiment.id} is reviewed and accepted"


def _require_standing(experiment: Experiment) -> None:
    if experiment.taken_out_by is not None:
        raise LabError(
            f"Experiment {experiment.id} was taken out of master by experiment {experiment.taken_out_by}: there is"
            " nothing to review.",
            f"`autolab revert {experiment.taken_out_by}` puts it back.",
        )


async def reopen(context: Context, experiment: Experiment, actor: str) -> str:
    """Take one's own mark off a win again. Raises LabError."""
    _require_standing(experiment)
    mark = await accepted_by(context.store, experiment.id)
    if mark is None:
        raise LabError(f"Experiment {experiment.id} carries no mark.", "`autolab review` lists the wins.")
    if mark.actor != actor:
        raise LabError(f"Experiment {experiment.id} was accepted by {mark.actor}.", "Only one's own mark comes off.")
    await context.store.set_meta(mark_key(experiment.id), "")
    return f"experiment {experiment.id} is to be reviewed again"


async def pick_onto(context: Context, experiment: Experiment, base: str) -> str:
    """Put an experiment's change on a branch of its own on top of `base`. Raises LabError."""
    parent, commit = experiment.parent, experiment.commit_id
    if parent is None or commit is None:
        raise LabError(
            f"Experiment {experiment.id} has no patch to pick.", "`autolab results` shows what was measured."
        )
    onto = await asyncio.to_thread(resolve, context.repository, base)
    if onto is None:
        raise LabError(f"There is no branch, tag or commit {base!r} in this lab.", "`git branch` lists the branches.")
    if await _is_held(context, experiment, commit, onto):
        raise LabError(f"Experiment {experiment.id} is in {base} already.", "There is nothing to pick.")
    name = pick_name(experiment.label, experiment.title)
    branch, made = await asyncio.to_thread(pick, context.repository, parent, commit, onto, name, base)
    return f"branch {branch} is {base} with experiment {experiment.id}'s change ({made[:9]}); nobody has measured it"


async def _is_held(context: Context, experiment: Experiment, commit: str, base: str) -> bool:
    """Whether the commit `base` was built on this experiment, and on no revert of it."""
    if not await asyncio.to_thread(is_in, context.repository, commit, base):
        return False
    rows = await context.store.rows(
        "SELECT * FROM experiments WHERE source = ? AND decision = ? AND state = ?",
        (f"{REVERSAL}{experiment.id}", str(Decision.MERGE), str(State.PROMOTED)),
    )
    reverts = [one.commit_id for one in map(Experiment.from_row, rows) if one.commit_id is not None]
    return not any([await asyncio.to_thread(is_in, context.repository, revert, base) for revert in reverts])
