"""A patch that crashed goes back to a worker, with the traceback, a bounded number of times.

The repair is a new attempt. When the worker gives up, the experiment stands again as its run left it, and says both.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from orchestrator.branches import PatchDoesNotApply
from orchestrator.context import Context
from orchestrator.runs import Outcome
from orchestrator.runs.log_text import read_log
from orchestrator.store.records import Experiment, Run
from orchestrator.store.states import ENDED, State
from roles.offline.model import OfflineModel
from roles.offline.tuner import TUNER

REPAIRABLE = frozenset({Outcome.CRASH, Outcome.NO_CHECKPOINT})
"""Ends that a worker can do something about without changing the idea."""

ENDINGS = ", ".join(f"'{state}'" for state in sorted(ENDED))
LAST_LINES = 30
LONGEST_LINE = 300


async def send_back(context: Context, experiment: Experiment, run: Run) -> Experiment | None:
    """Give a crashed experiment back to a worker; None when it stays as it is.

    A person's own patch is the person's to mend, the offline model cannot read a traceback, and a constant that crashes
    is a value that does not fit.
    """
    team = context.team_of(experiment)
    by_agent = experiment.role_model not in ("", OfflineModel().name, TUNER)
    if run.outcome not in REPAIRABLE or not by_agent or team is None:
        return None
    repaired = await _times_repaired(context, experiment)
    if repaired >= team.repairs:
        return None
    return await context.store.move(
        experiment.id,
        State.QUEUED,
        f"goes back to a worker, repair {repaired + 1} of {team.repairs}: {run.reason}",
        attempt=experiment.attempt + 1,
        commit_id=None,
        parent=None,
        branch=None,
    )


async def _times_repaired(context: Context, experiment: Experiment) -> int:
    """How often it went back to a worker with a crash, since anybody else last requeued it."""
    row = await context.store.row(
        "SELECT count(*) AS n FROM events WHERE kind = 'state' AND experiment_id = ? AND before = 'crashed'"
        " AND after = 'queued' AND actor = 'autolab' AND seq > (SELECT coalesce(max(seq), 0) FROM events WHERE"
        f" kind = 'state' AND experiment_id = ? AND before IN ({ENDINGS}) AND actor <> 'autolab')",
        (experiment.id, experiment.id),
    )
    assert row is not None
    return int(row["n"])


async def to_repair(context: Context, experiment: Experiment) -> Run | None:
    """The crashed run that a worker mends with this attempt; None when the attempt is no repair."""
    runs = [run for run in await context.store.runs_of(experiment.id) if run.attempt == experiment.attempt - 1]
    asked = await context.store.row(
        "SELECT 1 FROM events WHERE experiment_id = ? AND before = 'crashed' AND after = 'queued'"
        " AND actor = 'autolab' AND seq > (SELECT max(seq) FROM events WHERE run_id = ?)",
        (experiment.id, runs[-1].id if runs else -1),
    )
    return runs[-1] if runs and runs[-1].outcome in REPAIRABLE and asked is not None else None


async def put_in_place(context: Context, run: Run, worktree: Path) -> bool:
    """Bring the crashed patch into a worktree of master; false when it does not apply there any more."""
    if run.parent is None:
        return False
    diff = await asyncio.to_thread(context.repository.diff, run.parent, run.commit_id)
    with contextlib.suppress(PatchDoesNotApply):
        await asyncio.to_thread(context.repository.apply_patch, worktree, diff, context.settings.target.editable)
        return True
    return False


async def restore(context: Context, experiment: Experiment, run: Run, why: str, actor: str) -> Experiment:
    """No repair came: the experiment ends as its run left it."""
    return await context.store.move(
        experiment.id,
        State.GIVEN_UP,
        f"its run crashed ({run.reason}), and it was not mended: {why}",
        actor=actor,
        attempt=run.attempt,
        commit_id=run.commit_id,
        parent=run.parent,
        branch=context.repository.branch_name(experiment.id, run.attempt, experiment.title),
    )


def end_of_log(context: Context, run: Run) -> str:
    """The last lines of a run's log, cut and marked as data: what a program printed gives no orders. Blocks."""
    lines = read_log(context.lab.run_directory(run.id) / "log", 2**16).splitlines()[-LAST_LINES:]
    return "\n".join(f"> {line[:LONGEST_LINE]}" for line in lines)
