"""Wins that only simplify (`[promotion] simplification`): as good as the baseline by test, and less of a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.context import Context
from orchestrator.evidence import Decision, Noise, equivalent
from orchestrator.guard.extent import smaller
from orchestrator.store.records import Experiment

_SHRUNK: dict[tuple[str, str], tuple[int, int] | None] = {}
"""By parent and commit, whose contents never change; asked for at every look."""


async def second_chance(
    context: Context, experiment: Experiment, decision: Decision, scores: Sequence[float], baseline: Sequence[float],
    noise: Noise,
) -> Decision:  # fmt: skip
    """`decision` was to drop it as a win: what to do with it as a simplification, if it is one."""
    if not context.settings.promotion.simplification:
        return decision
    shrunk = await _shrunk(context, experiment)
    if shrunk is None:
        return decision
    found = equivalent(scores, baseline, noise)
    return replace(found, reason=f"{found.reason}; the program has {shrunk[1]} nodes instead of {shrunk[0]}")


async def _shrunk(context: Context, experiment: Experiment) -> tuple[int, int] | None:
    parent, commit = experiment.parent, experiment.commit_id
    if parent is None or commit is None:
        return None
    if (parent, commit) not in _SHRUNK:
        _SHRUNK[parent, commit] = smaller(await context.sources(parent), await context.sources(commit))
    return _SHRUNK[parent, commit]
