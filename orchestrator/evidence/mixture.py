"""The weights of a mixture of normal distributions about one centre, by expectation and maximisation.

A module of its own, so that who reads no gains need not load numpy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ROUNDS = 100
"""Of expectation and maximisation; the weights hardly move any more long before."""


def weights_of(distances: Sequence[float], errors: Sequence[float], spreads: Sequence[float]) -> list[float]:
    """The weights of parts with these spreads under which what was measured is the most probable.

    `distances` are from the centre, each with its own standard error; there is at least one of each.
    """
    squares = np.square(spreads)[None, :] + np.square(errors)[:, None]
    heights = -0.5 * np.square(distances)[:, None] / squares - 0.5 * np.log(squares)
    densities = np.exp(heights - heights.max(axis=1, keepdims=True))
    weights = np.full(len(spreads), 1 / len(spreads))
    for _ in range(ROUNDS):
        shares = densities * weights
        weights = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
    return [float(weight) for weight in weights]
