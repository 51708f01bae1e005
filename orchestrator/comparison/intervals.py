"""Figures with the interval around them: shares by Wilson's, sums and rates by the bootstrap over experiments."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator.stopping.quantiles import share_interval

CONFIDENCE = 0.95
"""Of every interval."""

RESAMPLES = 2000
AT_ONCE = 200
"""Resamples held in memory together."""

Draws = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and the interval that holds it with probability CONFIDENCE."""

    value: float
    low: float
    high: float


def share_of(hits: int, of: int) -> Estimate | None:
    """A share 0..1 with Wilson's score interval (Wilson 1927); None when nothing was counted."""
    if of == 0:
        return None
    low, high = share_interval(hits, of, CONFIDENCE)
    return Estimate(hits / of, low, high)


def resampled(values: Sequence[tuple[float, float]], name: str) -> tuple[Draws, Draws]:
    """The sums of both columns over RESAMPLES bootstrap samples of the rows (Efron 1979).

    The same `name` and rows draw the same samples, so that a figure does not flicker from one look to the next.
    """
    rows = np.asarray(values, dtype=np.float64).reshape(-1, 2)
    if len(rows) == 0:
        return np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    random = np.random.default_rng(zlib.crc32(name.encode()))
    parts = []
    for _ in range(0, RESAMPLES, AT_ONCE):
        counts = random.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=AT_ONCE)
        parts.append(counts @ rows)
    sums = np.concatenate(parts)
    return sums[:, 0], sums[:, 1]


def around(value: float, draws: Draws) -> Estimate:
    """The percentile interval of bootstrap draws around the figure itself."""
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(draws, [tail, 100 - tail])
    return Estimate(value, min(value, float(low)), max(value, float(high)))


def rate(gains: Draws, costs: Draws) -> Draws:
    """Gain for each unit of cost, draw by draw; a draw without any cost counts as nothing."""
    return np.divide(gains, costs, out=np.zeros_like(gains), where=costs > 0)
