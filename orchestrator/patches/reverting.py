"""Master without one of its wins: the reversed patch is an experiment, measured like any other.

`revert` is a person's decision: it is merged as soon as it is measured. `ablate` only asks what the win is still worth.
"""

from __future__ import annotations

import asyncio

from orchestrator.branches import Conflict
from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.patches.submitting import add_diff
from orchestrator.remedies import require_in_master, require_not_asked, stands
from orchestrator.store.records import REVERSAL, Decision, Experiment
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal


async def revert(context: Context, experiment: Experiment, actor: str) -> str:
    """Queue master without this win, or with it again if it is a revert; merged once measured. Raises LabError."""
    await require_in_master(context.store, experiment)
    number = await _add(context, experiment, actor, Decision.MERGE)
    what = (
        f"with experiment {experiment.reverses} in it again"
        if experiment.is_revert
        else f"without experiment {experiment.id}"
    )
    return (
        f"experiment {number} is master {what}; it is merged as soon as it is measured,"
        f" `autolab drop {number}` calls it off until it runs"
    )


async def ablate(context: Context, experiment: Experiment, actor: str) -> str:
    """Queue master without this win, to see what it is worth by now; judged like any other. Raises LabError."""
    await require_in_master(context.store, experiment)
    number = await _add(context, experiment, actor, Decision.NONE)
    return f"experiment {number} measures master without experiment {experiment.id}"


async def _add(context: Context, experiment: Experiment, actor: str, decision: Decision) -> int:
    table = "team_masters" if experiment.line else "masters"
    merge = await context.store.row(
        f"SELECT commit_id FROM {table} WHERE experiment_id = ? ORDER BY seq LIMIT 1", (experiment.id,)
    )
    if experiment.state is not State.PROMOTED or merge is None:
        raise LabError(
            f"{stands(experiment)}, so master holds nothing of it.",
            "`autolab results` shows what was promoted.",
        )
    if experiment.parent is None:
        raise LabError(f"Experiment {experiment.id} is a starting point of this lab.", "There is nothing before it.")
    master = await context.store.master(experiment.line)
    assert master is not None
    title, hypothesis = await _words(context, experiment, decision)
    await require_not_asked(context.store, experiment, decision)
    diff = await asyncio.to_thread(context.repository.without, merge["commit_id"], master.commit_id)
    if isinstance(diff, Conflict):
        raise LabError(
            f"Experiment {experiment.id} cannot be taken out by itself: later changes touch the same lines.",
            f"`autolab diff {experiment.id}` shows it; take it out by hand and give the diff to `autolab add`.",
        )
    if not diff:
        raise LabError(
            f"Master holds nothing of experiment {experiment.id} any more.",
            "`autolab results` shows what was promoted.",
        )
    proposal = Proposal(
        title,
        hypothesis,
        f"{REVERSAL}{experiment.id}",
        patch=diff,
    )
    moved = f"{experiment.reverses} put back into" if experiment.is_revert else f"{experiment.id} taken out of"
    whose = f"the change of experiment {moved} master, as {actor} ordered"
    return await add_diff(
        context, proposal, diff, actor, decision=decision, new=False, line=experiment.line, whose=whose
    )


async def _words(context: Context, experiment: Experiment, decision: Decision) -> tuple[str, str]:
    """The title and the hypothesis."""
    win = await context.store.experiment(experiment.reverses) if experiment.reverses is not None else None
    if decision is Decision.MERGE and experiment.is_revert and win is not None:
        hypothesis = f"Master as it stands, with the change of experiment {win.id} in it again."
        return f"Put back experiment {win.id}: {win.title}", hypothesis
    word = "Revert" if decision is Decision.MERGE else "Without"
    hypothesis = f"Master as it stands, but without the change of experiment {experiment.id}."
    return f"{word} experiment {experiment.id}: {experiment.title}", hypothesis
