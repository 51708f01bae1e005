"""Wins of a program of somebody's own that ran longer than the master they beat: nothing but the time-out bounds it."""

from __future__ import annotations

from statistics import fmean

from orchestrator.review.wins import wins_of
from orchestrator.store.reader import Reader
from orchestrator.store.records import Experiment
from orchestrator.views import valid_runs
from orchestrator.watching.finding import Finding

LONGER = 1.25
"""So many times as long as the runs of its baseline is told of."""

LEAST_SECONDS = 2.0
"""A difference below this is start-up and what else a machine does."""


async def overtime(reader: Reader) -> list[Finding]:
    """Raises LabError."""
    found = []
    for win in await wins_of(reader):
        base = await reader.experiment(win.before_id) if win.before_id is not None else None
        if base is None or not win.stands:
            continue
        took, before = await _seconds(reader, win.experiment), await _seconds(reader, base)
        if took is not None and before is not None and took > max(LONGER * before, before + LEAST_SECONDS):
            sentence = (
                f"the runs of experiment {win.experiment.id} took {took:.1f} s, those of the master that it beat"
                f" {before:.1f} s: what trains longer than its budget scores better for that alone; look at"
                f" `autolab diff {win.experiment.id}`"
            )
            found.append(Finding(f"overtime {win.experiment.id}", win.merge, sentence, win.experiment.id, lasts=True))
    return found


async def _seconds(reader: Reader, experiment: Experiment) -> float | None:
    """The mean length of its valid runs, wall seconds; None before there is one."""
    runs = valid_runs(experiment, await reader.runs_of(experiment.id))
    lengths = [run.training_seconds for run in runs if run.training_seconds is not None]
    return fmean(lengths) if lengths else None
