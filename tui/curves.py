"""A run's live curve, from its `metrics.jsonl`."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.runs.log_text import read_lines

MOST_POINTS = 400


def read_curve(path: Path) -> list[tuple[float, float]]:
    """(progress 0..1, loss) at most MOST_POINTS times; whatever else stands in the file is passed over."""
    points: list[tuple[float, float]] = []
    for line in read_lines(path).lines:
        try:
            values = json.loads(line)
            points.append((float(values["progress"]), float(values["loss"])))
        except (ValueError, KeyError, TypeError):
            continue
    stride = max(1, -(-len(points) // MOST_POINTS))
    return points[::stride]
