"""The finished runs of a lab as they lie on disk, with their curves and baselines; nothing is written."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from orchestrator.stopping import CHECKPOINTS, Curve, Gap, Record, curve_from_jsonl, gap_at, record_of


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A scored run. `gaps` at every checkpoint and `record` are None for a run that had no baseline to beat."""

    lab: str
    run_id: int
    commit: str
    kind: str
    seconds: float  # of training
    promoted: bool
    gaps: tuple[Gap | None, ...] | None
    record: Record | None

    @property
    def is_screen(self) -> bool:
        return self.kind == "screen" and self.record is not None


class NoLab(Exception):
    """The directory holds no lab that can be read; the sentence says what to give."""


def runs_of(lab: Path, first_id: int = 0) -> list[RecordedRun]:
    """The lab's scored runs that have a curve, oldest first; their ids in records start at `first_id`.

    Raises NoLab when there is no runs.db.
    """
    path = lab / "runs.db"
    if not path.is_file():
        raise NoLab(f"{lab} has no runs.db: give the directory of a lab")
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute(
            "SELECT runs.*, experiments.state, experiments.commit_id AS head FROM runs"
            " JOIN experiments ON experiments.id = runs.experiment_id"
            " WHERE runs.outcome = 'scored' AND runs.val_bpb IS NOT NULL ORDER BY runs.id"
        ).fetchall()
        measured_as = dict(
            connection.execute(
                "SELECT masters.commit_id, experiments.commit_id FROM masters"
                " JOIN experiments ON experiments.id = masters.experiment_id"
            ).fetchall()
        )
    curves = {row["id"]: _curve(lab, row["id"]) for row in rows}
    return [_recorded(lab, row, rows, measured_as, curves, first_id) for row in rows if curves[row["id"]].reached > 0]


def _curve(lab: Path, run_id: int) -> Curve:
    path = lab / ".autolab" / "runs" / str(run_id) / "metrics.jsonl"
    return curve_from_jsonl(path.read_text(encoding="utf-8", errors="replace") if path.is_file() else "")


def _recorded(
    lab: Path,
    row: sqlite3.Row,
    rows: list[sqlite3.Row],
    measured_as: dict[str, str],
    curves: dict[int, Curve],
    first_id: int,
) -> RecordedRun:
    promoted = row["state"] == "promoted" and row["head"] == row["commit_id"]
    commits = {row["parent"], measured_as.get(row["parent"])} - {None}
    baseline = [other for other in rows if other["commit_id"] in commits and other["id"] < row["id"]]
    gaps, record = None, None
    if baseline:
        around = [curves[other["id"]] for other in baseline]
        scores = [other["val_bpb"] for other in baseline]
        curve = curves[row["id"]]
        gaps = tuple(gap_at(curve, around, share) for share in CHECKPOINTS)
        record = record_of(first_id + row["id"], curve, row["val_bpb"], around, scores, promoted=promoted)
    seconds = row["training_seconds"] or 0.0
    return RecordedRun(
        str(lab), first_id + row["id"], f"{lab} {row['commit_id']}", row["kind"], seconds, promoted, gaps, record
    )
