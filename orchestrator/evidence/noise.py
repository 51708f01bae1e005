"""How much the score of one and the same commit scatters from run to run, and how well that is known."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

from orchestrator.runs.untrusted import LARGEST_SCORE, is_score

NORMAL = NormalDist()
FARTHEST = 8.0
"""Normal deviates beyond that are all the same."""


@dataclass(frozen=True, slots=True)
class Noise:
    """`deviation`: standard deviation of one run; `freedom`: degrees of freedom it was estimated with."""

    deviation: float
    freedom: int

    def interval(self, confidence: float = 0.9) -> tuple[float, float]:
        """Where the true deviation lies, by Wilson and Hilferty's approximation of chi-square (PNAS 17, 1931)."""
        low, high = (_chi_square(self.freedom, 0.5 + side * confidence / 2) for side in (1, -1))
        squares = self.deviation**2 * self.freedom
        return math.sqrt(squares / low), math.sqrt(squares / high) if high > 0 else math.inf

    def deviate(self, difference: float, error: float) -> float:
        """A difference in standard errors, as the normal deviate that is as improbable.

        `error` is its standard error by this noise, whose own uncertainty makes it a t statistic.
        """
        if error == 0:
            return math.copysign(FARTHEST, difference) if difference else 0.0
        beyond = (1 - _within(abs(difference / error), self.freedom)) / 2
        deviate = -NORMAL.inv_cdf(beyond) if beyond > 1e-15 else FARTHEST
        return math.copysign(min(deviate, FARTHEST), difference)


def bounded(scores: Iterable[float]) -> list[float]:
    """Scores that arithmetic can bear: a store from before such scores were refused may hold any number."""
    return [min(LARGEST_SCORE, max(-LARGEST_SCORE, score)) for score in scores]


def noise_of(groups: Iterable[Sequence[float]]) -> Noise | None:
    """Pooled over every group of runs of one commit on one kind of device; None before there are two runs of one.

    What is no score tells nothing of noise.
    """
    squares, freedom = 0.0, 0
    for group in groups:
        scores = [score for score in group if is_score(score)]
        if len(scores) >= 2:
            mean = fmean(scores)
            squares += sum((score - mean) ** 2 for score in scores)
            freedom += len(scores) - 1
    return Noise(math.sqrt(squares / freedom), freedom) if freedom else None


def _within(t: float, freedom: int) -> float:
    """The probability that Student's t lies within -t..t: formulas 26.7.3 and 26.7.4 of Abramowitz and Stegun."""
    angle = math.atan(t / math.sqrt(freedom))
    square = math.cos(angle) ** 2
    odd = freedom % 2 == 1
    term = math.cos(angle) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for step in range(2 if odd else 1, freedom - 1, 2):
        term *= step / (step + 1) * square
        total += term
    inside = math.sin(angle) * total
    return 2 / math.pi * (angle + inside) if odd else inside


def _chi_square(freedom: int, probability: float) -> float:
    part = 2 / (9 * freedom)
    return float(freedom * max(0.0, 1 - part + NORMAL.inv_cdf(probability) * math.sqrt(part)) ** 3)
