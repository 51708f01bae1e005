"""Numbers that untrusted code wrote: taken when they are what they ought to be, else not at all."""

from __future__ import annotations

import math

LARGEST_COUNT = 2**53
"""What a double holds exactly; also safely below what SQLite takes as an integer."""

LARGEST_SCORE = 1e9
"""No score is farther from zero: what is has diverged, or counts in too small a unit. It could not be told beside
another anyway: four decimals are shown, and single precision has none left at a hundredth of that."""


def real(value: object) -> float | None:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def is_score(number: float) -> bool:
    """Whether a number can be a score: finite, and of a size that means something."""
    return abs(number) <= LARGEST_SCORE  # NaN is not


def count(value: object) -> int | None:
    """A whole number from 0 to LARGEST_COUNT; fractions are cut."""
    number = real(value)
    return int(number) if number is not None and 0 <= number <= LARGEST_COUNT else None


def share(value: object) -> float | None:
    """A number, brought into 0..1."""
    number = real(value)
    return None if number is None else min(1.0, max(0.0, number))
