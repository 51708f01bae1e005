"""The rules of promotion: what to do with an experiment after each of its runs.

`sequential` is a two-stage group sequential test with a boundary for futility at its first look (P. C. O'Brien and
T. R. Fleming, A multiple testing procedure for clinical trials, Biometrics 35, 1979; the boundaries here are chosen by
simulation, see bench/promotion.py): the screening run must stand clearly above the baseline to be worth another seed,
and the mean of both decides. An experiment without any gain is promoted with the probability ERROR_RATE at most, over
both looks together. `measured` and `greedy` are there to compare with: three runs each and two standard errors; and
whatever scores better once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import Literal

from orchestrator.evidence.noise import Noise, bounded
from orchestrator.figures import figure

Rule = Literal["sequential", "measured", "greedy"]

BASELINE_SEEDS = 3
"""A master is measured with so many seeds before anything is compared with it."""

ERROR_RATE = 0.07
"""Found by simulation for a baseline of three runs and a well-known noise; tests/evidence keeps it true."""

LOOKS = 2
"""Runs of an experiment until it is decided."""

SCREEN_AT = 1.2
"""Normal deviate after the screening run, below which a promotion has become unlikely."""

PROMOTE_AT = 1.2
"""Normal deviate after the last look."""


class Action(StrEnum):
    PROMOTE = "promote"
    DROP = "drop"
    RUN = "run"  # once more, with the next seed
    BASELINE = "baseline"  # a run of the baseline with the next seed: its mean is what is least known


@dataclass(frozen=True, slots=True)
class Decision:
    action: Action
    reason: str  # one sentence with the figures
    simplifies: bool = False  # not as a win, but because the program is smaller and as good


def seeds(count: int) -> tuple[int, ...]:
    """The first assigned seeds: the same for baseline and candidate, in the same order."""
    return tuple(range(1, count + 1))


def decide(rule: Rule, scores: Sequence[float], baseline: Sequence[float], noise: Noise) -> Decision:
    """What to do after the runs that there are; `scores` and `baseline` hold at least one each."""
    scores, baseline = bounded(scores), bounded(baseline)
    if rule == "greedy":
        return _greedy(scores, baseline)
    if rule == "measured":
        return _measured(scores, baseline, noise)
    return _sequential(scores, baseline, noise)


def _sequential(scores: Sequence[float], baseline: Sequence[float], noise: Noise) -> Decision:
    count = len(scores)
    if count > len(baseline):
        words = f"{facts_of(scores, baseline)}: the baseline gets run {len(baseline) + 1} before the next look"
        return Decision(Action.BASELINE, words)
    error = noise.deviation * math.sqrt(1 / count + 1 / len(baseline))
    deviate = noise.deviate(fmean(baseline) - fmean(scores), error)
    facts = f"{facts_of(scores, baseline)}, {abs(deviate):.2f} standard errors {'worse' if deviate < 0 else 'better'}"
    if count < LOOKS:
        if deviate >= SCREEN_AT:
            return Decision(Action.RUN, f"worth another seed: {facts}")
        hope = "does not beat the baseline" if deviate <= 0 else "a gain has become unlikely"
        return Decision(Action.DROP, f"{hope}: {facts}, {SCREEN_AT:.2f} better needed to go on")
    if deviate >= PROMOTE_AT:
        return Decision(Action.PROMOTE, f"a real gain: {facts}, {PROMOTE_AT:.2f} needed")
    return Decision(Action.DROP, f"within noise after {count} runs: {facts}, {PROMOTE_AT:.2f} needed")


def _measured(scores: Sequence[float], baseline: Sequence[float], noise: Noise) -> Decision:
    facts = facts_of(scores, baseline)
    if len(scores) == 1:
        if scores[0] < fmean(baseline):
            return Decision(Action.RUN, f"beats the baseline, two more seeds will tell: {facts}")
        return Decision(Action.DROP, f"does not beat the baseline: {facts}")
    if len(scores) < BASELINE_SEEDS:
        return Decision(Action.RUN, f"another seed: {facts}")
    margin = 2 * noise.deviation * math.sqrt(1 / len(scores) + 1 / len(baseline))
    if fmean(baseline) - fmean(scores) > margin:
        return Decision(Action.PROMOTE, f"a real gain: {facts}, {-margin:+.4f} needed")
    return Decision(Action.DROP, f"within noise: {facts}, {-margin:+.4f} needed")


def _greedy(scores: Sequence[float], baseline: Sequence[float]) -> Decision:
    if scores[0] < baseline[0]:
        return Decision(Action.PROMOTE, f"better once: {facts_of(scores, baseline)}")
    return Decision(Action.DROP, f"not better: {facts_of(scores, baseline)}")


def facts_of(scores: Sequence[float], baseline: Sequence[float]) -> str:
    """Both means, their runs and the difference, in words."""
    mean, base = fmean(scores), fmean(baseline)
    runs = "1 run" if len(scores) == 1 else f"{len(scores)} runs"
    return f"{figure(mean)} ({runs}) against {figure(base)} ({len(baseline)}), {figure(mean - base, '+.4f')}"
