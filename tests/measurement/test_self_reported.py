"""What a script's runs leave behind is read within bounds, whatever pattern a person wrote."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.measurement.self_reported import with_progress, with_score
from orchestrator.runs import Outcome, Running, RunResult
from orchestrator.store.records import Run, RunKind
from orchestrator.store.writer import Place
from tests.command_line import autolab
from tests.conftest import set_key
from tests.layouts import OTHER, make_repository

ENDLESS = r"^(?:\w+\s?)+= (\S+)"
"""Tries every way to part a row of letters into words."""

WRITTEN = "'" + ENDLESS.replace("\\", r"\\") + "'"
"""As `set_key` wants it."""


@pytest.fixture
def scripted(tmp_path: Path) -> Lab:
    """A lab of a script, never started."""
    root = tmp_path / "mein Läb"
    source = make_repository(tmp_path / "source", OTHER)
    words = ("--target-command", "python3 src/fit.py", "--target-editable", "src/fit.py", "--target-budget", "5")
    pattern = ("--target-metric", r"accuracy = (\S+)", "--target-direction", "maximise")
    made = autolab("init", str(root), "--profile", "cpu", "--from", str(source), *words, *pattern)
    assert made.returncode == 0, made.stderr
    return Lab(root)


async def a_run(context: Context, log: str) -> Run:
    """A run of the start under way, that has printed so much."""
    head = context.repository.head()
    start = await context.store.experiment(0) or await context.store.add_start(head, "start", "the start")
    run = await context.store.begin_run(start, RunKind.BASELINE, 1, Place("cpu0", "a core", "off"), head)
    directory = context.lab.run_directory(run.id)
    directory.mkdir(parents=True)
    (directory / "log").write_text(log)
    return run


async def test_steps_and_tokens_are_those_that_the_summary_tells(scripted: Lab) -> None:
    async with opened(scripted) as context:
        run = await a_run(context, "---\naccuracy = 0.91\ntotal_tokens_M:   499.6\nnum_steps:        953\n")
        result = await with_score(context, run, RunResult(Outcome.SCORED, "finished"))
        assert (result.val_bpb, result.steps, result.tokens) == (-0.91, 953, 499_600_000)


async def test_a_metric_that_cannot_be_searched_for_in_time_makes_the_result_invalid(scripted: Lab) -> None:
    set_key(scripted.root, "metric", WRITTEN)
    async with opened(scripted) as context:
        run = await a_run(context, "a" * 60 + "\n")
        result = await with_score(context, run, RunResult(Outcome.SCORED, "finished"))
        assert result.outcome is Outcome.INVALID and result.val_bpb is None
        assert result.reason.startswith("target.metric could not be searched for") and repr(ENDLESS) in result.reason


async def test_a_progress_that_cannot_be_searched_for_in_time_is_told_once_and_left_alone(scripted: Lab) -> None:
    set_key(scripted.root, "progress", WRITTEN)
    async with opened(scripted) as context:
        run = await a_run(context, "a" * 60 + "\n")
        running = Running("training", 0.4)
        for _ in range(2):
            begun = os.times().children_user
            assert await with_progress(context, run, running) == running
        assert os.times().children_user == begun, "the second look does not search"
        [told] = await context.store.newest_events("anomaly", 5)
        assert (
            "stays unknown: target.progress could not be searched for" in told.reason and repr(ENDLESS) in told.reason
        )
