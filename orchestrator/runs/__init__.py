"""Runs: a supervisor per run, and the executor through which the engine starts, watches and stops them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.runs.executor import Ended, Executor, Lost, NeverStarted, Reading, Running, Slot, Status
from orchestrator.runs.result import Outcome, RunResult
from orchestrator.runs.spec import Limits, RunSpec

if TYPE_CHECKING:
    from orchestrator.runs.local import LocalExecutor, local_executor

__all__ = [
    "Ended",
    "Executor",
    "Limits",
    "LocalExecutor",
    "Lost",
    "NeverStarted",
    "Outcome",
    "Reading",
    "RunResult",
    "RunSpec",
    "Running",
    "Slot",
    "Status",
    "local_executor",
]


def __getattr__(name: str) -> object:
    """The local executor, imported when asked for: a supervisor lives in this package too, and must start fast."""
    if name in ("LocalExecutor", "local_executor"):
        from orchestrator.runs import local

        return getattr(local, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
