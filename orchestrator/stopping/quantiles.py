"""Quantiles of Student's t and an interval for a share, without a statistics package."""

from __future__ import annotations

import math
from statistics import NormalDist


def normal_quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)


def t_quantile(probability: float, freedom: float) -> float:
    """Student's t by its expansion around the normal quantile (Abramowitz and Stegun 1964, 26.7.5).

    Good to 1 % between 1 % and 99 % from 4 degrees of freedom on. Raises ValueError below 3, where it is not good.
    """
    if freedom < 3:
        raise ValueError(f"{freedom} degrees of freedom are too few: give at least 3")
    z = normal_quantile(probability)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def share_interval(hits: float, of: float, confidence: float = 0.9) -> tuple[float, float]:
    """Wilson's score interval for a share (Wilson 1927); the whole of 0..1 when nothing was counted."""
    if of <= 0:
        return 0.0, 1.0
    z = normal_quantile((1 + confidence) / 2)
    share = hits / of
    middle = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    reach = z / (1 + z**2 / of) * math.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    return max(0.0, middle - reach), min(1.0, middle + reach)
