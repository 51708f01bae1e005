"""Which moment of the baseline a moment of a run is fairly compared with.

Loss falls fast while the learning rate is taken down, so a run that takes it down later looks bad beside a baseline
that has begun. A run in its peak phase is compared with the baseline's last moment in its own peak phase; a run that
has done a part of its warmdown, with the baseline's moment at the same part; and never with a later moment than its
own. A run whose rate still rises is not compared at all. Phases are told from the logged rate, or from a declared start
of the warmdown; where neither is known, moments at equal budget are compared, and what late schedules make up is part
of the recorded runs that the margins are learnt from.

To claim a late warmdown falsely buys a run its full budget and nothing else: it is scored like any other.
"""

from __future__ import annotations

import numpy as np

from orchestrator.stopping.curves import Curve

PEAK = 0.99
"""At this share of its highest value so far, a rate counts as still at its peak."""


def rising(run: Curve, share: float) -> bool:
    """Whether the learning rate is still going up at this share of the budget, as in a warm-up."""
    rates = run.rate[(run.progress > share * 2 / 3) & (run.progress <= share)]
    rates = rates[np.isfinite(rates)]
    return len(rates) > 1 and bool(rates[-1] >= rates.max() and rates[0] < PEAK * rates[-1])


def warmdown_from(curve: Curve, share: float = 1.0) -> float | None:
    """Where the rate last was at its peak, as told from the points up to `share`; `share` itself while it still is.

    None for a curve without logged rates.
    """
    known = np.isfinite(curve.rate) & (curve.progress <= share)
    rates, progress = curve.rate[known], curve.progress[known]
    if not len(rates) or rates.max() <= 0:
        return None
    last = int(np.flatnonzero(rates >= PEAK * rates.max())[-1])
    return share if last == len(rates) - 1 else float(progress[last])


def matching_share(run: Curve, baseline: Curve, share: float) -> float:
    """The share of the baseline's budget to compare with, at most `share`.

    Where a curve says that its warmdown begins, that is believed over its logged rate.
    """
    end_of_peak = baseline.warmdown if baseline.warmdown is not None else warmdown_from(baseline)
    begun = run.warmdown if run.warmdown is not None else warmdown_from(run, share)
    if end_of_peak is None or begun is None:
        return share
    if begun >= share:  # the run is still in its peak phase
        return min(share, end_of_peak)
    part_done = (share - begun) / (1 - begun)
    return min(share, end_of_peak + part_done * (1 - end_of_peak))
