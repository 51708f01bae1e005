"""A run's live curves, followed in its `metrics.jsonl`: only what was appended is read."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from pathlib import Path

from orchestrator.runs.log_text import read_lines

MOST_POINTS = 800
MOST_BYTES = 2**20
SPEED_SHARE = 0.02  # of the budget, over which tokens a second are reckoned

Curve = list[tuple[float, float]]


class Line(StrEnum):
    """What a run logs over its budget."""

    LOSS = "loss"
    RATE = "learning rate"
    SPEED = "tokens a second"


class CurveFile:
    """(progress 0..1, value) of one run, for each line; whatever else stands in the file is passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._curves: dict[Line, Curve] = {line: [] for line in Line}
        self._clock: list[tuple[float, float, float]] = []  # (progress, seconds, tokens) of the last SPEED_SHARE

    @property
    def points(self) -> Curve:
        """Of the loss."""
        return self._curves[Line.LOSS]

    def look(self) -> bool:
        """True when there is something new."""
        piece = read_lines(self._path, self._offset, MOST_BYTES)
        if piece.offset == self._offset:
            return False
        if piece.offset < self._offset:  # written anew
            self._clock.clear()
            for curve in self._curves.values():
                curve.clear()
        self._offset = piece.offset
        before = len(self.points)
        for text in piece.lines:
            self._take(text)
        return len(self.points) != before

    def shown(self, line: Line = Line.LOSS) -> Curve:
        """At most MOST_POINTS of them, the newest always among them."""
        points = self._curves[line]
        stride = max(1, -(-len(points) // MOST_POINTS))
        thinned = points[::stride]
        return thinned if not thinned or thinned[-1] == points[-1] else [*thinned, points[-1]]

    def _take(self, text: str) -> None:
        try:
            values = json.loads(text)
            number = {key: _finite(values.get(key)) for key in ("progress", "loss", "lr", "seconds", "tokens")}
        except (ValueError, TypeError, AttributeError, RecursionError):
            return
        progress = number["progress"]
        if progress is None:
            return
        for line, key in ((Line.LOSS, "loss"), (Line.RATE, "lr")):
            if (value := number[key]) is not None:
                self._curves[line].append((progress, value))
        seconds, tokens = number["seconds"], number["tokens"]
        if seconds is not None and tokens is not None:
            self._take_speed(progress, seconds, tokens)

    def _take_speed(self, progress: float, seconds: float, tokens: float) -> None:
        self._clock.append((progress, seconds, tokens))
        while len(self._clock) > 2 and progress - self._clock[1][0] >= SPEED_SHARE:
            self._clock.pop(0)
        _, begin, first = self._clock[0]
        if seconds > begin and tokens >= first:
            self._curves[Line.SPEED].append((progress, (tokens - first) / (seconds - begin)))


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    number = float(value)
    return number if math.isfinite(number) else None
