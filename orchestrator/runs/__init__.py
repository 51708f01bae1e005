"""Runs: a supervisor per run, and the executor through which the engine starts, watches and stops them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.runs.executor import Ended, Executor, Lost, NeverStarted, Reading, Running, Slot, Status
    from orchestrator.runs.local import LocalExecutor, local_executor
    from orchestrator.runs.result import Outcome, RunResult
    from orchestrator.runs.spec import Limits, RunSpec

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

_HOMES = {"Outcome": "result", "RunResult": "result", "Limits": "spec", "RunSpec": "spec"} | dict.fromkeys(
    ("LocalExecutor", "local_executor"), "local"
)


def __getattr__(name: str) -> object:
    """Each name from its module, imported when asked for: the room reads logs, and a supervisor must start fast."""
    if name in __all__:
        return getattr(import_module(f"orchestrator.runs.{_HOMES.get(name, 'executor')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
