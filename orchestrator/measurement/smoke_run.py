"""A smoke run: a patch takes a few steps on one CPU core, in the sandbox, before it may cost a slot.

It has the small shapes of the cpu profile, whatever the lab's profile is, so it takes seconds and no GPU. What fails
there for want of a GPU is let pass: the run itself tells.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import time
from collections.abc import Coroutine
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from orchestrator.context import Context
from orchestrator.corpus import Corpus, prepare_corpus
from orchestrator.errors import LabError
from orchestrator.measurement.specs import spec_of_training
from orchestrator.runs import Ended, Limits, NeverStarted, Outcome, Running, RunResult
from orchestrator.runs.log_text import read_log

WORTH_IT_SECONDS = 60.0
"""With "auto": where a run costs no more than this, the run itself is the quickest test."""

STEPS_SECONDS = 1.0
LIMITS = Limits(
    startup_seconds=60,
    grace_seconds=30,
    hang_seconds=30,
    memory_bytes=4 * 2**30,
    log_bytes=2**18,
    output_bytes=2**30,
    processes=200,
)
LOOK_SECONDS = 0.1
ENDING_SECONDS = 15.0
LAST_LINES = 12

_NEEDS_GPU = re.compile(r"cuda|triton|nvidia|\bgpu\b|no kernel image|not compiled with", re.IGNORECASE)


def possible(context: Context) -> bool:
    """Whether a patch can be tried so. A script of a repository has no small profile to be tried in."""
    return context.settings.target.kind == "nanogpt" and context.settings.run.smoke_run != "off"


def wanted(context: Context) -> bool:
    """Whether every patch of this lab is tried so when it is submitted."""
    setting = context.settings.run.smoke_run
    if not possible(context):
        return False
    return setting == "on" or context.settings.run.budget_seconds > WORTH_IT_SECONDS


async def against_smoke(context: Context, worktree: Path) -> list[str]:
    """Why the train.py of a worktree does not run, in one sentence with the end of its log; nothing when it does."""
    directory = context.lab.smoke_runs / uuid4().hex[:8]
    spec = spec_of_training(context, worktree, directory, await asyncio.to_thread(_small_corpus), STEPS_SECONDS)
    try:
        await context.executor.start(replace(spec, limits=LIMITS))
        result = await _ended(context, directory)
        log = await asyncio.to_thread(read_log, directory / "log", 2**16)
        saved = (directory / spec.weights_file).is_file()
    except LabError:
        return []  # the machine is in trouble, not the patch
    finally:
        await _to_the_end(_clear(context, directory, spec.marker))
    tail = "\n".join(log.splitlines()[-LAST_LINES:])
    if (
        result is None
        or _NEEDS_GPU.search(f"{result.reason}\n{tail}")
        or result.outcome in (Outcome.KILLED, Outcome.LOST)
    ):
        return []
    if result.outcome is not Outcome.SCORED:
        return [f"A smoke run of a few steps on one CPU core failed: {result.reason}. The end of its log:\n{tail}\n"]
    if not saved:
        return ["A smoke run of a few steps on one CPU core ended without saving a model: no prepare.save(model)."]
    return []


@lru_cache(maxsize=1)
def _small_corpus() -> Corpus:
    return prepare_corpus("cpu")


async def _ended(context: Context, directory: Path) -> RunResult | None:
    deadline = time.monotonic() + LIMITS.startup_seconds + STEPS_SECONDS * LIMITS.wall_factor + LIMITS.hang_seconds
    while time.monotonic() < deadline:
        match await context.executor.status(directory):
            case Ended(result=result):
                return result
            case Running():
                await asyncio.sleep(LOOK_SECONDS)
            case NeverStarted() | _:
                return None
    return None


async def _to_the_end(work: Coroutine[None, None, None]) -> None:
    """Let work come to its end however often its caller is cancelled meanwhile."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


async def _clear(context: Context, directory: Path, marker: str) -> None:
    """Nothing of it is left, however it ended; its supervisor is gone before its directory is."""
    with contextlib.suppress(LabError):
        await context.executor.stop(directory, now=True)
    deadline = time.monotonic() + ENDING_SECONDS
    while isinstance(await context.executor.status(directory), Running) and time.monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
    await context.executor.sweep(marker)
    await asyncio.to_thread(shutil.rmtree, directory, True)
