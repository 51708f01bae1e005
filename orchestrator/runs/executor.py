"""What the engine asks of whatever executes runs: start, look, pause, stop, and which slots there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from orchestrator.runs.result import RunResult
from orchestrator.runs.spec import RunSpec


@dataclass(frozen=True, slots=True)
class Slot:
    """One GPU, or one CPU core where there is none."""

    name: str
    device: str  # for people
    gpu: str | None = None  # UUID


@dataclass(frozen=True, slots=True)
class Reading:
    """What the machine says of a slot; None where it cannot be read. Shares 0..1, bytes, degrees Celsius, watts."""

    utilisation: float | None = None
    memory_used: int | None = None
    memory_total: int | None = None
    temperature: float | None = None
    power: float | None = None


@dataclass(frozen=True, slots=True)
class Running:
    phase: str  # starting, training, scoring, paused; ending: the result is there, the slot is not free yet
    progress: float | None = None  # share of the budget, 0..1
    step: int | None = None
    loss: float | None = None
    seconds: float | None = None  # of training, by the run's clock
    memory_bytes: int | None = None  # resident, of all its processes


@dataclass(frozen=True, slots=True)
class Ended:
    """It has a result, and no process of it holds the slot."""

    result: RunResult


@dataclass(frozen=True, slots=True)
class Lost:
    """Its supervisor vanished without a result."""

    reason: str


@dataclass(frozen=True, slots=True)
class NeverStarted:
    """No supervisor took the run, and none can any more."""


Status = Running | Ended | Lost | NeverStarted


class Executor(Protocol):
    """Safe to lose at any instant: a new one answers for the same runs, from their directories."""

    def slots(self) -> Sequence[Slot]: ...

    async def start(self, spec: RunSpec) -> None:
        """Returns once a supervisor has taken the run. Raises LabError; then the run never starts."""
        ...

    async def status(self, run_dir: Path) -> Status:
        """A run that nobody has taken is called off by this question: it is answered NeverStarted, and for good."""
        ...

    async def stop(self, run_dir: Path, now: bool) -> None:
        """TERM, a grace period, KILL; or KILL `now`. The result follows. Raises LabError when there is no such run."""
        ...

    async def pause(self, run_dir: Path) -> None:
        """Hold every process of the run; no deadline runs. Raises LabError when there is no such run."""
        ...

    async def resume(self, run_dir: Path) -> None:
        """Raises LabError when there is no such run."""
        ...

    async def sweep(self, marker: str) -> int:
        """Kill every process that carries a run's marker; returns how many there were."""
        ...

    async def free(self, slot: Slot, marker: str) -> bool:
        """Whether the slot shows no process of the run any more."""
        ...

    async def occupied(self, slot: Slot) -> str:
        """Of a slot without a run of the lab: how others use it, in a few words; empty when nobody does."""
        ...

    async def readings(self, runs: Mapping[str, Path]) -> dict[str, Reading]:
        """By slot name; `runs` holds the directories of the runs under way, by slot name."""
        ...
