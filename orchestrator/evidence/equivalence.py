"""Whether a smaller program scores as its baseline does: two one-sided tests against a margin on either side.

The test is D. J. Schuirmann's (Journal of Pharmacokinetics and Biopharmaceutics 15, 1987): equivalence is what must be
shown, so few runs or much noise never pass for it. The margin is MARGIN standard deviations of one run. After each run
from the LOOKS-th on, which a win needs too, both tests ask for the normal deviate PASS_AT, so that a program worse by
the margin is taken as equal with the probability ERROR_RATE at most, over all looks together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from orchestrator.evidence.noise import Noise, bounded
from orchestrator.evidence.rules import LOOKS, Action, Decision, facts_of

MARGIN = 2.0
"""Standard deviations of one run. At five runs on both sides a difference of 0.7 of one still passes."""

PASS_AT = 2.0
"""Normal deviate of both tests at every look."""

MOST = 5
"""Runs until equality is shown or given up: to show it takes more than to show a large gain."""

ERROR_RATE = 0.04
"""Found by simulation for a well-known noise; tests/evidence keeps it true."""

HOPELESS = -1.3
"""Below such a deviate the program is worse, not equal; bounds what an idea that costs score costs in runs."""


def equivalent(scores: Sequence[float], baseline: Sequence[float], noise: Noise) -> Decision:
    """What to do with a smaller program that is no win; `scores` and `baseline` hold at least one each."""
    scores, baseline = bounded(scores), bounded(baseline)
    count, facts = len(scores), facts_of(scores, baseline)
    margin = MARGIN * noise.deviation
    gain = fmean(baseline) - fmean(scores)
    error = noise.deviation * math.sqrt(1 / count + 1 / len(baseline))
    if noise.deviate(gain, error) < HOPELESS:
        return Decision(Action.DROP, f"smaller and worse: {facts}")
    if count > len(baseline):
        words = f"{facts}: the baseline gets run {len(baseline) + 1} before the next look"
        return Decision(Action.BASELINE, words)
    nearest = min(noise.deviate(margin + gain, error), noise.deviate(margin - gain, error))
    told = f"{facts}, {nearest:+.2f} standard errors inside a margin of {margin:.4f}"
    if count >= LOOKS and nearest >= PASS_AT:
        return Decision(Action.PROMOTE, f"a simplification, the score is the same: {told}", simplifies=True)
    if count >= MOST:
        return Decision(Action.DROP, f"smaller, but not shown to be as good after {count} runs: {told}")
    return Decision(Action.RUN, f"smaller, another seed will tell whether it is as good: {told}", simplifies=True)
