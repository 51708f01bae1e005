"""How far behind is too far: the margins at every checkpoint, fitted to recorded runs.

The question at a checkpoint is: could a run that is so far behind still end level with its baseline? Recorded runs
answer it. Their gap at the checkpoint is regressed on their final delta; the runs that ended near the baseline count
most (Cauchy weights, with the median of |delta| as their width). At delta zero the line shows the gap that a level run
is to be expected to have there, and still makes up, and the residuals show how far that scatters. The margin is the
upper end of the one-sided prediction interval for one more such run (Student's t, so few records make a wide margin).

Many checkpoints give many chances to err. So all margins are widened by one factor, the smallest at which, of the
recorded runs beyond them at any checkpoint, no larger share came back than the limit allows. The share is counted with
half a run more on either side (Krichevsky and Trofimov 1981), so that a few runs without a comeback prove nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestrator.stopping.comparing import Record
from orchestrator.stopping.quantiles import normal_quantile, t_quantile

FEWEST_FREEDOM = 5.0
"""Degrees of freedom, weights counted, below which a checkpoint has no margin: a spread from fewer is a guess."""

UNSEEN = 0.5
"""Runs that came back, and that did not, added to those that were seen: the correction for small numbers."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Records as arrays: `gaps` and `noises` [runs, checkpoints] (NaN where untold), the rest [runs]."""

    gaps: Array
    noises: Array
    deltas: Array
    weights: Array
    came_back: NDArray[np.bool_]


def table_of(records: Sequence[Record]) -> Table:
    def column(name: str) -> Array:
        rows = [[np.nan if gap is None else getattr(gap, name) for gap in record.gaps] for record in records]
        return np.array(rows, dtype=np.float64)

    return Table(
        column("size"),
        column("noise"),
        np.array([record.delta for record in records]),
        np.array([record.weight for record in records]),
        np.array([record.came_back for record in records]),
    )


def noise_factor(limit: float) -> float:
    """How many standard deviations a gap must exceed to be more than noise, at the error rate `limit`, one-sided."""
    return normal_quantile(1 - limit)


def fitted_margins(table: Table, limit: float, fewest: int) -> Array:
    """The margin at every checkpoint, infinite where fewer than `fewest` runs tell of it or their spread is unsure."""
    expected, reach = _level_runs(table, limit, fewest)
    with np.errstate(invalid="ignore"):
        times = (table.gaps - expected) / reach  # how often the reach fits into the gap
    noticed = (table.gaps > noise_factor(limit) * table.noises) & np.isfinite(times)
    worst = np.where(noticed, times, -np.inf).max(axis=1, initial=-np.inf)
    return np.maximum(expected + _widening(worst, table, limit) * reach, 0.0)


def _level_runs(table: Table, limit: float, fewest: int) -> tuple[Array, Array]:
    """At every checkpoint, the gap to be expected of a run that ends level, and how far up to the prediction limit."""
    shape = table.gaps.shape[1]
    expected, reach = np.zeros(shape), np.full(shape, np.inf)
    width = float(np.median(np.abs(table.deltas))) or 1.0
    near = table.weights / (1 + (table.deltas / width) ** 2)
    for checkpoint in range(shape):
        told = np.isfinite(table.gaps[:, checkpoint])
        if told.sum() < fewest:
            continue
        weights, deltas, gaps = near[told], table.deltas[told], table.gaps[told, checkpoint]
        weights = weights / weights.sum()
        count = 1 / float(weights @ weights)  # effective number of runs (Kish 1965)
        if count - 2 < FEWEST_FREEDOM:
            continue
        middle, level = float(weights @ deltas), float(weights @ gaps)
        spread = float(weights @ (deltas - middle) ** 2)
        slope = float(weights @ ((deltas - middle) * (gaps - level))) / spread if spread > 0 else 0.0
        expected[checkpoint] = level - slope * middle
        residual = float(weights @ (gaps - level - slope * (deltas - middle)) ** 2) * count / (count - 2)
        uncertain = 1 + 1 / count + (middle**2 / spread / count if spread > 0 else 0.0)
        reach[checkpoint] = t_quantile(1 - limit, count - 2) * np.sqrt(residual * uncertain)
    reach[reach == 0] = np.finfo(float).tiny  # recorded runs that agree to the last digit
    return expected, reach


def _widening(worst: Array, table: Table, limit: float) -> float:
    """The smallest factor, 1 or more, beyond which the share of the recorded runs that came back keeps to the limit."""
    order = np.argsort(-worst)
    beyond = np.cumsum(table.weights[order])
    back = np.cumsum((table.weights * table.came_back)[order])
    outside = worst[order] > 1
    if not outside.any():
        return 1.0
    share = (back + UNSEEN) / (beyond + 2 * UNSEEN)
    allowed = np.flatnonzero(outside & (share <= limit))
    first_within = int(allowed[-1]) + 1 if len(allowed) else 0
    return max(1.0, float(worst[order[first_within]])) if first_within < len(order) else 1.0
