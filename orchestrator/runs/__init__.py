"""Runs: a supervisor per run, and the executor through which the engine starts, watches and stops them."""

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
