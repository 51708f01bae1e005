"""The order for one run, as the executor writes it and the supervisor reads it: `spec.json` in the run's directory."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from orchestrator.runs.result import write_json


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds are wall seconds but for `grace_seconds`, which follows the run's clock; sizes are bytes."""

    startup_seconds: float = 120.0
    grace_seconds: float = 5.0  # over the budget
    hang_seconds: float = 60.0  # without CPU time and without a logged step
    scoring_seconds: float = 120.0
    stop_seconds: float = 5.0  # between TERM and KILL
    wall_factor: float = 20.0  # budget seconds may take so many times as long on a busy machine
    memory_bytes: int | None = None
    log_bytes: int = 4 * 2**20


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything that the supervisor needs; it asks nobody else."""

    run_id: int
    marker: str  # unique to lab and run; every process of the run carries it in its environment
    run_dir: str
    worktree: str
    train_command: list[str]
    score_command: list[str]
    env: dict[str, str]  # for the trainer, beyond the allow-list
    score_env: dict[str, str]
    seed: int
    clock: Literal["cpu", "wall"]
    budget_seconds: float
    slot: str
    gpu: str | None = None  # the UUID that CUDA_VISIBLE_DEVICES gets
    protected: dict[str, str] = field(default_factory=dict)  # path in the worktree -> installed original
    limits: Limits = Limits()


def write_spec(spec: RunSpec) -> None:
    directory = Path(spec.run_dir)
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "spec.json", asdict(spec), sync=False)


def read_spec(run_dir: Path) -> RunSpec:
    values = json.loads((run_dir / "spec.json").read_text(encoding="utf-8"))
    return RunSpec(**{**values, "limits": Limits(**values["limits"])})
