"""How far a run is behind its baseline at a checkpoint, with the noise of that difference; and runs on record.

Losses and gaps are in the unit of the logged loss, positive gaps are worse.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance

from orchestrator.stopping.curves import Curve
from orchestrator.stopping.phases import matching_share, rising

CHECKPOINTS = tuple(round(0.05 * k, 2) for k in range(2, 19))
"""Shares of the budget at which curves are read. At which of them a run can be condemned is learnt."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A run's smoothed loss at `share` of its budget beside the mean of its baseline's runs at the equal phase."""

    share: float
    loss: float
    baseline: float
    noise: float  # the standard deviation of the difference, when the change did nothing

    @property
    def size(self) -> float:
        return self.loss - self.baseline


@dataclass(frozen=True, slots=True)
class Record:
    """A finished run: its gap at every checkpoint (None where it cannot be told) and how it ended.

    `delta` is its score minus the mean of its baseline's scores, positive is worse. `came_back`: it was promoted or
    scored better than that mean. `weight`: how many runs it stands for (audited ones stand for those not finished).
    """

    run_id: int
    gaps: tuple[Gap | None, ...]
    delta: float
    came_back: bool
    weight: float = 1.0


def gap_at(run: Curve, baseline: Sequence[Curve], share: float) -> Gap | None:
    """The gap at a share of the budget; only the run's points up to there are used. None when it cannot be told.

    The noise joins the scatter within the curves with that between the baseline's runs, whichever is larger.
    """
    own = run.at(share)
    if own is None or rising(run, share):
        return None
    others = [curve.at(matching_share(run, curve, share)) for curve in baseline]
    known = [other for other in others if other is not None]
    if not known:
        return None
    between = variance([other.loss for other in known]) if len(known) > 1 else 0.0
    within = fmean([other.error**2 for other in known])
    noise = math.sqrt(max(own.error**2, between) + max(within, between) / len(known))
    return Gap(share, own.loss, fmean([other.loss for other in known]), noise)


def record_of(
    run_id: int,
    curve: Curve,
    score: float,
    baseline: Sequence[Curve],
    baseline_scores: Sequence[float],
    *,
    promoted: bool = False,
    lower_is_better: bool = True,
    weight: float = 1.0,
) -> Record:
    """A finished run beside the baseline it was measured against. Raises ValueError without a baseline's score."""
    if not baseline_scores:
        raise ValueError(f"run {run_id} cannot be recorded: give the scores of its baseline's runs")
    delta = score - fmean(baseline_scores)
    delta = delta if lower_is_better else -delta
    gaps = tuple(gap_at(curve, baseline, share) for share in CHECKPOINTS)
    return Record(run_id, gaps, delta, promoted or delta < 0, weight)
