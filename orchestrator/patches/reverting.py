"""Master without one of its wins: the reversed patch is an experiment, measured like any other.

`revert` is a person's decision: it is merged as soon as it is measured. `ablate` only asks what the win is still worth.
"""

from __future__ import annotations

import asyncio

from orchestrator.branches import Conflict
from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.patches.submitting import add_diff
from orchestrator.remedies import stands
from orchestrator.store.records import REVERSAL, Decision, Experiment
from orchestrator.store.states import ENDED, State, in_words
from orchestrator.store.writer import Proposal


async def revert(context: Context, experiment: Experiment, actor: str) -> str:
    """Queue master without this win, to be merged once it is measured. Raises LabError."""
    number = await _add(context, experiment, actor, Decision.MERGE)
    return (
        f"experiment {number} is master without experiment {experiment.id}; it is merged as soon as it is measured,"
        f" `autolab drop {number}` calls it off until it runs"
    )


async def ablate(context: Context, experiment: Experiment, actor: str) -> str:
    """Queue master without this win, to see what it is worth by now; judged like any other. Raises LabError."""
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
    title = f"{'Revert' if decision is Decision.MERGE else 'Without'} experiment {experiment.id}: {experiment.title}"
    await _refuse_twice(context, title)
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
        f"Master as it stands, but without the change of experiment {experiment.id}.",
        f"{REVERSAL}{experiment.id}",
        patch=diff,
    )
    whose = f"the change of experiment {experiment.id} taken out of master, as {actor} ordered"
    return await add_diff(
        context, proposal, diff, actor, decision=decision, new=False, line=experiment.line, whose=whose
    )


async def _refuse_twice(context: Context, title: str) -> None:
    rows = await context.store.rows("SELECT id, state FROM experiments WHERE title = ?", (title,))
    for row in rows:
        if State(row["state"]) not in ENDED:
            raise LabError(
                f"Experiment {row['id']} does that already and is {in_words(row['state'])}.",
                f"See `autolab show {row['id']}`.",
            )
