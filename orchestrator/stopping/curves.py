"""A run's loss curve, and its smoothed value at a share of the budget.

A single batch's loss scatters about ten times more than the differences that matter. The smoothed value at a share f is
therefore read off a straight line through the points of the last third of what was trained, (2f/3, f], in the middle of
that window. Every curve is read in the same way, so the lag of the window cancels when two curves are compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_POINTS = 4
"""In a window: with fewer, a line through them has no residuals to tell the noise from."""

RATE_KEY = "lr"
"""The key under which a curve may log its learning rate, in any unit; phases are told from its course alone."""

WARMDOWN_KEY = "warmdown"
"""The key under which a run may declare the share of its budget at which it begins to take its learning rate down."""


@dataclass(frozen=True, slots=True)
class Smoothed:
    """The loss at a share of the budget and the standard error of it, both in the unit of the logged loss."""

    loss: float
    error: float


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Points in the order of `progress` (0..1); `rate` is the logged learning rate, NaN where none was logged.

    `warmdown` is where the run said first that its warmdown begins (0..1), None when it said nothing.
    """

    progress: NDArray[np.float64]
    loss: NDArray[np.float64]
    rate: NDArray[np.float64]
    warmdown: float | None = None

    @property
    def reached(self) -> float:
        """The share of the budget up to which there are points, 0 when there are none."""
        return float(self.progress[-1]) if len(self.progress) else 0.0

    def at(self, share: float) -> Smoothed | None:
        """The smoothed loss at a share of the budget; None before the curve gets there or where it is too thin."""
        if not 0 < share <= self.reached:
            return None
        low, high = np.searchsorted(self.progress, [share * 2 / 3, share], side="right")
        x, y = self.progress[low:high], self.loss[low:high]
        if len(x) < FEWEST_POINTS:
            return None
        middle = x.mean()
        spread = float(((x - middle) ** 2).sum())
        slope = float(((x - middle) * y).sum()) / spread if spread > 0 else 0.0
        residuals = y - y.mean() - slope * (x - middle)
        error = math.sqrt(float((residuals**2).sum()) / (len(x) - 2) / len(x))
        return Smoothed(float(y.mean()) + slope * (share * 5 / 6 - float(middle)), error)


def curve_of(lines: Iterable[Mapping[str, object]]) -> Curve:
    """The curve in the lines of a metrics file; what is no point, or goes back in progress, is passed over."""
    rows: list[tuple[float, float, float]] = []
    latest, warmdown = 0.0, None
    for line in lines:
        declared = _number(line.get(WARMDOWN_KEY))
        if warmdown is None and declared is not None and 0 <= declared < 1:
            warmdown = declared
        progress, loss = _number(line.get("progress")), _number(line.get("loss"))
        if progress is None or loss is None or not latest <= progress <= 1:
            continue
        rate = _number(line.get(RATE_KEY))
        rows.append((progress, loss, math.nan if rate is None else rate))
        latest = progress
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return Curve(table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy(), warmdown)


def curve_from_jsonl(text: str) -> Curve:
    """The curve in the text of a `metrics.jsonl`; a line that is no JSON object, as a torn last one, is skipped."""
    return curve_of(line for line in map(_parsed, text.splitlines()) if line is not None)


def _parsed(line: str) -> dict[str, object] | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
