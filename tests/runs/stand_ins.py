"""Small scripts that stand in for train.py and the scorer, and waiting for what becomes of their runs."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchestrator.runs import Ended, Limits, LocalExecutor, Outcome, Running, RunResult, RunSpec
from orchestrator.runs.claim import owner
from orchestrator.runs.identity import Identity, marked_processes

PYTHON = [sys.executable, "-S", "-E"]  # starts fast: these scripts need nothing but the standard library

START = """
import json, os, signal, sys, time
run = os.environ["RUN_DIR"]  # where a trainer may write
harness = os.path.dirname(run)
def note(**line):
    with open(run + "/metrics.jsonl", "a") as file:
        file.write(json.dumps(line) + "\\n")
def save():
    open(run + "/weights.pt", "wb").write(b"weights")
"""
BUDGET = "note(event='start')\n"
SCORER = """
import json
json.dump({"val_bpb": 2.5, "parameters": 7, "tokens": 1, "bytes": 1, "seconds": 0.1}, open("score.json", "w"))
"""
LIMITS = Limits(
    startup_seconds=30, grace_seconds=0.3, hang_seconds=30, scoring_seconds=30, stop_seconds=0.5, log_bytes=20_000
)


def spec_for(
    place: Path, train: str, scorer: str = SCORER, start: str = START + BUDGET, limits: Limits = LIMITS, **more: Any
) -> RunSpec:
    """A run of `start` + `train` with a budget of half a second; `more` are other fields of the spec."""
    tree = place / "tree"
    tree.mkdir(exist_ok=True)
    (tree / "train.py").write_text(start + train)
    (place / "scorer.py").write_text(scorer)
    directory = place / "run"
    spec = RunSpec(
        run_id=1,
        marker=f"{place}#1",
        run_dir=str(directory),
        worktree=str(tree),
        train_command=[*PYTHON, "-u", "train.py"],
        score_command=[*PYTHON, str(place / "scorer.py"), str(tree / "train.py")],
        env={"RUN_DIR": str(directory / "out")},
        score_env={},
        seed=1,
        clock="cpu",
        budget_seconds=0.5,
        slot="cpu0",
        limits=limits,
    )
    return replace(spec, **more)


async def result_of(executor: LocalExecutor, spec: RunSpec) -> RunResult:
    """Start a run and wait for its end."""
    await executor.start(spec)
    return await ended(executor, spec)


async def ended(executor: LocalExecutor, spec: RunSpec, timeout: float = 60) -> RunResult:
    status = await settled(executor, spec, timeout)
    assert isinstance(status, Ended), status
    return status.result


async def settled(executor: LocalExecutor, spec: RunSpec, timeout: float = 60) -> object:
    """What a run came to, and that no process of it is left then."""
    deadline = time.monotonic() + timeout
    while isinstance(status := await executor.status(Path(spec.run_dir)), Running):
        assert time.monotonic() < deadline, f"the run has not ended: {status}"
        await asyncio.sleep(0.02)
    assert marked_processes(spec.marker) == [], "no process of the run is left"
    return status


async def in_phase(executor: LocalExecutor, spec: RunSpec, phase: str, timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while True:
        status = await executor.status(Path(spec.run_dir))
        assert isinstance(status, Running), status
        if status.phase == phase:
            return
        assert time.monotonic() < deadline, f"the run has not come to {phase}: {status}"
        await asyncio.sleep(0.02)


async def until_there(path: Path, timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} has not appeared"
        await asyncio.sleep(0.01)


def supervisor_of(spec: RunSpec) -> Identity:
    found = owner(Path(spec.run_dir))
    assert isinstance(found, Identity)
    return found


def is_scored(result: RunResult) -> bool:
    assert result.outcome is Outcome.SCORED, result
    return result.val_bpb == 2.5
