"""What the evidence says of an experiment now: its runs against the baseline's, on the ground of both."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.context import Context
from orchestrator.evidence import BASELINE_SEEDS, Action, Decision, decide, noise_of
from orchestrator.measurement.likeness import baseline_ignores_seed
from orchestrator.measurement.simplifying import second_chance
from orchestrator.store.records import Experiment, Run
from orchestrator.store.states import State


@dataclass(frozen=True, slots=True)
class Standing:
    """`base` is the experiment whose runs are the baseline; `error` the standard error of the difference between both,
    bits per byte."""

    decision: Decision
    base: Experiment
    error: float


async def runs_at_head(context: Context, experiment: Experiment) -> list[Run]:
    """The runs of the experiment's present commit and attempt."""
    runs = await context.store.runs_of(experiment.id)
    return [run for run in runs if run.commit_id == experiment.commit_id and run.attempt == experiment.attempt]


async def standing(context: Context, experiment: Experiment, runs: Sequence[Run]) -> Standing | None:
    """What to do with an experiment that has a score; None while its baseline is still being measured.

    It is compared on its own ground: a run that never started may have been meant for another. Where the baseline
    ignores its seeds nobody knows how far chance goes, and nothing is promoted.
    """
    base = await baseline_experiment(context, experiment)
    scores = scores_on(experiment.ground, runs)
    if base is None or not scores:
        return None
    baseline = [run for run in await runs_at_head(context, base) if run.ground == experiment.ground]
    beside = scores_on(experiment.ground, baseline)
    noise = noise_of(await context.store.score_groups(experiment.ground))
    if len(beside) < BASELINE_SEEDS or noise is None:
        return None
    ignores = await asyncio.to_thread(
        baseline_ignores_seed, context.lab, baseline, self_reported=context.settings.optimised().self_reported
    )
    decision = decide(context.settings.promotion.rule, scores, beside, noise)
    if decision.action is Action.PROMOTE and ignores is not None and experiment.state is State.CONFIRMING:
        decision = Decision(Action.DROP, f"{decision.reason}, but how far chance goes is not known: {ignores}")
    elif decision.action is Action.DROP and ignores is None:
        decision = await second_chance(context, experiment, decision, scores, beside, noise)
    error = noise.deviation * (1 / len(scores) + 1 / len(beside)) ** 0.5
    return Standing(decision, base, error)


async def baseline_experiment(context: Context, experiment: Experiment) -> Experiment | None:
    """The experiment whose runs measured the commit that this one stands on."""
    return await context.store.baseline_experiment(experiment.parent)


def scores_on(ground: str, runs: Sequence[Run]) -> list[float]:
    """The scores that compare there."""
    return [run.val_bpb for run in runs if run.val_bpb is not None and not run.void and run.ground == ground]
