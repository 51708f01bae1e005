"""The rule of promotion, in one place: pure functions from scores to a verdict in words.

Scores are bits per byte, lower is better. One run's scores scatter from seed to seed with a standard deviation, the
`noise`, pooled over every group of runs of one commit (degrees of freedom n - 1 each). The mean of n runs has the
standard error noise / sqrt(n); the difference of two means has the root of the sum of both squared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

SEEDS = (1, 2, 3)
"""The assigned seeds. Baseline and candidate get the same ones; the first of them screens."""

STANDARD_ERRORS = 2.0


@dataclass(frozen=True, slots=True)
class Verdict:
    passed: bool
    reason: str


def pooled_noise(groups: Iterable[Sequence[float]]) -> float | None:
    """Standard deviation of one run, from all groups of two or more runs of one commit; None before there is one."""
    squares, freedom = 0.0, 0
    for scores in groups:
        if len(scores) >= 2:
            mean = fmean(scores)
            squares += sum((score - mean) ** 2 for score in scores)
            freedom += len(scores) - 1
    return math.sqrt(squares / freedom) if freedom else None


def screen(score: float, baseline: Sequence[float]) -> Verdict:
    """After one run: does it beat the mean of the baseline? Then it deserves two more seeds."""
    mean = fmean(baseline)
    delta = score - mean
    if delta < 0:
        return Verdict(True, f"{score:.4f} beats the baseline's {mean:.4f} by {-delta:.4f}: more seeds will tell")
    return Verdict(False, f"{score:.4f} does not beat the baseline's {mean:.4f} ({delta:+.4f})")


def confirm(scores: Sequence[float], baseline: Sequence[float], noise: float) -> Verdict:
    """After all seeds: is the mean better by more than two standard errors of the difference?"""
    mean, base = fmean(scores), fmean(baseline)
    margin = STANDARD_ERRORS * noise * math.sqrt(1 / len(scores) + 1 / len(baseline))
    delta = mean - base
    facts = (
        f"mean {mean:.4f} of {len(scores)} runs against {base:.4f} of {len(baseline)}:"
        f" {delta:+.4f}, needed {-margin:+.4f}"
    )
    if delta < -margin:
        return Verdict(True, f"a real gain: {facts}")
    if delta < 0:
        return Verdict(False, f"within noise: {facts}")
    return Verdict(False, f"no gain: {facts}")
