"""How much of a measured gain to believe: the best of many noisy measurements is, on average, less good than it looks.

Empirical Bayes (Efron and Morris, JASA 70, 1975): the gains measured in this lab show how far true gains scatter beyond
noise, and each is drawn towards their middle by as much as its own error deserves. How they scatter is a mixture of
normal distributions about one centre (M. Stephens, False discovery rates: a new deal, Biostatistics 18, 2017): a
single one would be stretched by one run that went astray, or by a few large wins, and then no small gain be doubted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean

from orchestrator.evidence.noise import bounded

FEW = 5
"""Below so many measured gains the prior is a guess: true gains scatter by two standard deviations of a run."""

GUESS = 2.0
NARROWEST = 0.5
"""Standard deviations of one run: the spread of the narrowest part of the prior. Each other one is twice the last."""

EXACT = 1e-100
"""A smaller error is none: its square is zero."""

LEAST_WEIGHT = 1e-6
"""Parts of the prior that weigh less are left out."""


@dataclass(frozen=True, slots=True)
class Belief:
    """Gains in bits per byte, positive is better."""

    gain: float  # what to believe
    deviation: float  # and how firmly
    false: float  # the probability that there is no gain at all


@dataclass(frozen=True, slots=True)
class Measured:
    """One experiment's raw gain over its parent, and the standard error of that."""

    gain: float
    error: float


@dataclass(frozen=True, slots=True)
class Prior:
    """How true gains scatter in this lab, as far as the measured ones tell: normally about `centre`, by the spread of
    each part with the probability that is its weight."""

    centre: float
    spreads: tuple[float, ...]
    weights: tuple[float, ...]


def believed(one: Measured, prior: Prior) -> Belief:
    """What to believe of one measured gain."""
    [raw] = bounded([one.gain])
    if one.error < EXACT:
        return Belief(raw, 0.0, float(raw <= 0))
    parts = [
        (share, *_drawn(raw, one.error, prior.centre, spread))
        for share, spread in zip(_shares(raw, one.error, prior), prior.spreads, strict=True)
    ]
    gain = sum(share * mean for share, mean, _ in parts)
    square = sum(share * (deviation**2 + (mean - gain) ** 2) for share, mean, deviation in parts)
    false = sum(
        share * (NormalDist(mean, deviation).cdf(0.0) if deviation else float(mean <= 0))
        for share, mean, deviation in parts
        if share
    )
    return Belief(gain, math.sqrt(square), min(1.0, false))


def _drawn(raw: float, error: float, centre: float, spread: float) -> tuple[float, float]:
    """Mean and deviation of the true gain, if true gains scatter by `spread`."""
    weight = spread**2 / (spread**2 + error**2)
    return weight * raw + (1 - weight) * centre, math.sqrt(weight) * error


def _shares(raw: float, error: float, prior: Prior) -> list[float]:
    """How probable each part of the prior is for this gain, given that it was measured."""
    heights = [_log_density(raw - prior.centre, math.hypot(spread, error)) for spread in prior.spreads]
    highest = max(heights)
    found = [weight * math.exp(height - highest) for weight, height in zip(prior.weights, heights, strict=True)]
    total = sum(found)
    return [share / total for share in found]


def _log_density(distance: float, deviation: float) -> float:
    return -0.5 * (distance / deviation) ** 2 - math.log(deviation)


def expected_false(promoted: Sequence[Belief]) -> float:
    """How many of the promotions so far are expected to be none."""
    return sum(belief.false for belief in promoted)


def prior_of(measured: Sequence[Measured], noise: float) -> Prior:
    """From all measured gains; the centre from their middle half, which no outlier moves. `noise` is one run's."""
    if len(measured) < FEW or noise < EXACT:
        return Prior(0.0, (GUESS * noise,), (1.0,))
    gains = sorted(bounded(one.gain for one in measured))
    quarter = len(gains) // 4
    centre = min(0.0, fmean(gains[quarter : len(gains) - quarter]))
    farthest = max(abs(gain - centre) for gain in gains)
    spreads = [NARROWEST * noise]
    while spreads[-1] < farthest:
        spreads.append(2 * spreads[-1])
    from orchestrator.evidence.mixture import weights_of  # with numpy, which few verbs need

    distances = [gain - centre for gain in bounded(one.gain for one in measured)]
    weights = weights_of(distances, [one.error for one in measured], spreads)
    kept = [(spread, weight) for spread, weight in zip(spreads, weights, strict=True) if weight >= LEAST_WEIGHT]
    return Prior(centre, *zip(*kept, strict=True))
