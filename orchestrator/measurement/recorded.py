"""The lab's finished runs as early stopping learns from them: each with its curve beside the curves of its baseline."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.context import Context
from orchestrator.lab import Lab
from orchestrator.stopping import Curve, Record, curve_from_jsonl, record_of
from orchestrator.store.records import Finished, Run

MOST_RECORDS = 400
"""The newest so many scored runs are learnt from: what came before them stood on masters long gone."""

BUDGET_TOLERANCE = 0.1
"""Runs whose training took a share of the budget further off than this had another budget."""

_RUNS = """
    SELECT runs.id, runs.commit_id, runs.val_bpb, experiments.commit_id AS head, experiments.state,
        base.commit_id AS baseline, ifnull(condemned.audited, 0) AS audited
    FROM runs
    JOIN experiments ON experiments.id = runs.experiment_id
    LEFT JOIN baselines ON baselines.commit_id = runs.parent
    LEFT JOIN experiments AS base ON base.id = baselines.experiment_id
    LEFT JOIN condemned ON condemned.run_id = runs.id
    WHERE runs.val_bpb IS NOT NULL AND NOT runs.void AND runs.ground = ? AND abs(runs.training_seconds - ?) <= ?
    ORDER BY runs.id DESC LIMIT ?
"""


@dataclass(slots=True)
class Recorded:
    """Curves and records, each read once: what has ended does not change."""

    _curves: dict[int, Curve] = field(default_factory=dict)
    _records: dict[int, Record] = field(default_factory=dict)

    def of(self, lab: Lab, rows: Sequence[sqlite3.Row], weight: float) -> list[Record]:
        """The records of runs as `recorded_rows` gives them, oldest first. Blocks (reads curves).

        A run stands beside the runs of its baseline that are older than itself; one without any is no record.
        `weight`: how many runs one that was drawn for the audit stands for.
        """
        known = {row["id"] for row in rows}
        for gone in [run_id for run_id in self._curves if run_id not in known]:
            self._curves.pop(gone)
            self._records.pop(gone, None)
        for row in rows:
            if row["id"] not in self._records:
                record = self._record(lab, row, rows, weight)
                if record is not None:
                    self._records[row["id"]] = record
        return [self._records[row["id"]] for row in rows if row["id"] in self._records]

    def _record(self, lab: Lab, row: sqlite3.Row, rows: Sequence[sqlite3.Row], weight: float) -> Record | None:
        beside = [other for other in rows if other["commit_id"] == row["baseline"] and other["id"] < row["id"]]
        curve = self.curve(lab, row["id"])
        if not beside or curve.reached == 0:
            return None
        return record_of(
            row["id"],
            curve,
            row["val_bpb"],
            [self.curve(lab, other["id"]) for other in beside],
            [other["val_bpb"] for other in beside],
            promoted=row["state"] == "promoted" and row["head"] == row["commit_id"],
            weight=weight if row["audited"] == Finished.DRAWN else 1.0,
        )

    def curve(self, lab: Lab, run_id: int) -> Curve:
        """The curve of a run that has ended. Blocks."""
        if run_id not in self._curves:
            self._curves[run_id] = curve_so_far(lab, run_id)
        return self._curves[run_id]


def curve_so_far(lab: Lab, run_id: int) -> Curve:
    """The curve that a run has shown until now, empty when there is none. Blocks."""
    try:
        text = (lab.run_directory(run_id) / "metrics.jsonl").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    return curve_from_jsonl(text)


async def recorded_rows(context: Context, ground: str) -> list[sqlite3.Row]:
    """The newest scored runs on one ground under the present budget, oldest first."""
    run = context.settings.run
    tolerance = max(run.grace_seconds, BUDGET_TOLERANCE * run.budget_seconds)
    rows = await context.store.rows(_RUNS, (ground, run.budget_seconds, tolerance, MOST_RECORDS))
    return rows[::-1]


async def baseline_runs(context: Context, run: Run) -> list[int]:
    """The scored runs of the commit that this run's patch stands on, on the same ground."""
    rows = await context.store.rows(
        "SELECT runs.id FROM baselines JOIN experiments ON experiments.id = baselines.experiment_id"
        " JOIN runs ON runs.experiment_id = experiments.id AND runs.commit_id = experiments.commit_id"
        " WHERE baselines.commit_id = ? AND runs.ground = ? AND runs.val_bpb IS NOT NULL ORDER BY runs.id",
        (run.parent, run.ground),
    )
    return [int(row["id"]) for row in rows]
