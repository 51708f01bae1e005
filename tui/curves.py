"""A run's live curve, followed in its `metrics.jsonl`: only what was appended is read."""

from __future__ import annotations

import json
import math
from pathlib import Path

from orchestrator.runs.log_text import read_lines

MOST_POINTS = 800
MOST_BYTES = 2**20

Curve = list[tuple[float, float]]


class CurveFile:
    """(progress 0..1, loss) of one run; whatever else stands in the file is passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.points: Curve = []

    def look(self) -> bool:
        """True when there is something new."""
        piece = read_lines(self._path, self._offset, MOST_BYTES)
        if piece.offset == self._offset:
            return False
        if piece.offset < self._offset:  # written anew
            self.points.clear()
        self._offset = piece.offset
        before = len(self.points)
        self.points += [point for line in piece.lines if (point := _point(line)) is not None]
        return len(self.points) != before

    def shown(self) -> Curve:
        """At most MOST_POINTS of them, the newest always among them."""
        stride = max(1, -(-len(self.points) // MOST_POINTS))
        thinned = self.points[::stride]
        return thinned if not thinned or thinned[-1] == self.points[-1] else [*thinned, self.points[-1]]


def _point(line: str) -> tuple[float, float] | None:
    try:
        values = json.loads(line)
        point = float(values["progress"]), float(values["loss"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return point if all(math.isfinite(value) for value in point) else None
