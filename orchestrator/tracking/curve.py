"""A run's curve as rows of a Trackio project."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.tracking.project import Row

MOST_POINTS = 1000


def points_of(path: Path) -> list[dict[str, float]]:
    """The numbers that a run logged, thinned to at most MOST_POINTS and the last; damaged lines are left out."""
    points: list[dict[str, float]] = []
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                with contextlib.suppress(ValueError, RecursionError, OverflowError):
                    values = json.loads(line)
                    if isinstance(values, dict) and isinstance(values.get("step"), int):
                        points.append({k: float(v) for k, v in values.items() if isinstance(v, int | float)})
    except OSError:
        return []
    stride = max(1, -(-len(points) // MOST_POINTS))
    return points[::stride] + (points[-1:] if points and (len(points) - 1) % stride else [])


def rows_of(path: Path, began: str, ended: str, final: Mapping[str, float | str | None]) -> list[Row]:
    """The curve and, as the last row, what came of the run. Seconds of a point count from `began` (UTC, ISO 8601)."""
    rows: list[Row] = []
    step, begin, end = 0, datetime.fromisoformat(began), datetime.fromisoformat(ended)
    for number, point in enumerate(points_of(path)):
        step = max(step, int(point.pop("step")))
        seconds = point.get("seconds", math.nan)
        at = begin + timedelta(seconds=seconds) if 0 <= seconds < 10**7 else begin
        rows.append(Row(str(number), step, min(at, end).isoformat(), point))
    known = {name: value for name, value in final.items() if value is not None}
    return [*rows, Row("final", step, end.isoformat(), known)]
