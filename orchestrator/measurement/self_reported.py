"""Runs of a script: its score is what it printed, and how far it is stands in its log as well."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

from orchestrator.context import Context
from orchestrator.measurement.specs import originals_of, worktree_of
from orchestrator.runs import Outcome, Running, RunResult
from orchestrator.runs.log_text import read_log
from orchestrator.store.records import Level, Run
from orchestrator.targets.printed import PROGRESS_SECONDS, NoMetric, progress_of, read_metric, read_summary, too_slow
from orchestrator.targets.searching import OutOfTime
from orchestrator.targets.target import ScriptTarget

TAIL_BYTES = 4096
TOO_SLOW = "progress_too_slow"
"""The key in `meta` of the pattern that could not be searched for in time."""


async def with_score(context: Context, run: Run, result: RunResult) -> RunResult:
    """The result with the score that the script printed; as it is for a target that is scored by Autolab."""
    target = context.settings.optimised()
    if not isinstance(target, ScriptTarget) or result.outcome is not Outcome.SCORED:
        return result
    text = await asyncio.to_thread(read_log, context.lab.run_directory(run.id) / "log")
    found = await asyncio.to_thread(read_metric, text, target)
    if isinstance(found, NoMetric):
        return replace(result, outcome=Outcome.INVALID, reason=found.sentence)
    summary = await asyncio.to_thread(read_summary, text)
    return replace(
        result,
        val_bpb=target.direction.cost(found),
        reason=f"it reports {found:g}",
        steps=result.steps if summary.steps is None else summary.steps,
        tokens=result.tokens if summary.tokens is None else summary.tokens,
    )


async def with_progress(context: Context, run: Run, running: Running) -> Running:
    """What a script's last lines say of how far it is.

    A pattern that runs out of time is told once and left alone from then on, until there is another.
    """
    target = context.settings.optimised()
    if not isinstance(target, ScriptTarget) or target.progress is None:
        return running
    pattern, store = target.progress, context.store
    if await store.meta(TOO_SLOW) == pattern.pattern:
        return running
    text = await asyncio.to_thread(_tail, context.lab.run_directory(run.id) / "log")
    try:
        return replace(running, progress=await asyncio.to_thread(progress_of, text, target))
    except OutOfTime:
        await store.set_meta(TOO_SLOW, pattern.pattern)
        told = f"how far runs are stays unknown: {too_slow('progress', pattern, PROGRESS_SECONDS)}"
        await store.event("anomaly", "autolab", told, after=Level.WARN)
        return running


def _tail(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - TAIL_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def keep_originals(context: Context, run: Run) -> None:
    """Put the protected files of a script aside as they were committed. Blocks; raises OSError."""
    target = context.settings.optimised()
    if not isinstance(target, ScriptTarget):
        return
    for path in target.protected:
        copy = originals_of(context, run.id) / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(worktree_of(context, run.id) / path, copy)
