"""How much of a measured gain to believe: the best of many noisy measurements is, on average, less good than it looks.

Empirical Bayes with a normal prior (Efron and Morris, JASA 70, 1975): the gains measured in this lab show how far true
gains scatter beyond noise, and each is drawn towards their mean by as much as its own error deserves.
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
    """How true gains scatter in this lab, as far as the measured ones tell."""

    centre: float
    spread: float


def believed(one: Measured, prior: Prior) -> Belief:
    """What to believe of one measured gain."""
    [raw] = bounded([one.gain])
    centre, spread = prior.centre, prior.spread
    if one.error == 0 or spread == 0:
        gain, deviation = (raw, 0.0) if one.error == 0 else (centre, 0.0)
    else:
        weight = spread**2 / (spread**2 + one.error**2)
        gain = weight * raw + (1 - weight) * centre
        deviation = math.sqrt(weight) * one.error
    false = NormalDist(gain, deviation).cdf(0.0) if deviation else float(gain <= 0)
    return Belief(gain, deviation, false)


def expected_false(promoted: Sequence[Belief]) -> float:
    """How many of the promotions so far are expected to be none."""
    return sum(belief.false for belief in promoted)


def prior_of(measured: Sequence[Measured], noise: float) -> Prior:
    """From all measured gains; the centre from their middle half, which no outlier moves. `noise` is one run's."""
    if len(measured) < FEW:
        return Prior(0.0, GUESS * noise)
    gains = sorted(bounded(one.gain for one in measured))
    quarter = len(gains) // 4
    middle = gains[quarter : len(gains) - quarter]
    centre = min(0.0, fmean(middle))
    scatter = fmean([(gain - centre) ** 2 for gain in gains])
    return Prior(centre, math.sqrt(max(noise**2 / 4, scatter - fmean([one.error**2 for one in measured]))))
