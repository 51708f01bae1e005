"""The order for one run, as the executor writes it and the supervisor reads it: `spec.json` in the run's directory."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from orchestrator.runs.files import known, read_json, write_json


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds are wall seconds but for `grace_seconds`, which follows the run's clock; sizes are bytes.

    No second counts while the run is paused.
    """

    startup_seconds: float = 120.0
    free_startup_seconds: float | None = None  # CPU seconds before the budget that are not charged to it; None: all
    grace_seconds: float = 5.0  # over the budget
    hang_seconds: float = 60.0  # without CPU time and without a logged step
    scoring_seconds: float = 120.0
    stop_seconds: float = 5.0  # between TERM and KILL
    wall_factor: float = 20.0  # budget seconds may take so many times as long on a busy machine
    memory_bytes: int | None = None  # resident, of all processes of the run together
    log_bytes: int = 4 * 2**20
    file_bytes: int | None = None  # the largest file that a run may write
    output_bytes: int = 8 * 2**30  # of all that it leaves in its own directory
    open_files: int = 4096  # of each of its processes
    free_disk_bytes: int = 64 * 2**20  # so much must stay free where the run's directory is
    processes: int = 1000  # at once


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Everything that the supervisor needs; it asks nobody else."""

    run_id: int
    marker: str  # unique to lab and run; every process of the run carries it in its environment
    run_dir: str
    worktree: str  # the trainer's working directory
    train_command: list[str]  # empty: nothing is trained, the scorer judges weights that are there
    score_command: list[str] | None  # None: what the run prints is its score, judged elsewhere
    env: dict[str, str]  # for the trainer, beyond what child.INHERITED lets through (nothing, where it is sandboxed)
    score_env: dict[str, str]  # for the scorer, which is trusted: beyond what child.INHERITED lets through
    seed: int
    clock: Literal["cpu", "wall"]
    budget_seconds: float
    slot: str
    gpu: str | None = None  # the UUID that CUDA_VISIBLE_DEVICES gets
    program: str = "train.py"  # what it is called in sentences
    protected: dict[str, str] = field(default_factory=dict)  # path in the worktree -> original
    sandbox: str = "off"  # what train_command is enclosed in
    train_data: str | None = None  # the file handed out when the budget starts; None: the curve says when it starts
    output: str = "out"  # in run_dir: the only directory that the trainer may write to
    weights_file: str = "weights.pt"  # in `output`: what the trainer must leave, in run_dir: what the scorer judges
    code: list[str] = field(default_factory=list)  # paths in the worktree that make the program, for its provenance
    data: list[str] = field(default_factory=list)  # files and directories outside that it reads, for its provenance
    score_file: str = "score.json"  # in run_dir: where the scorer writes {"val_bpb": x, ...} or {"refused": sentence}
    known_facts: dict[str, str] = field(default_factory=dict)  # of the score's provenance
    at_home: dict[str, str] = field(default_factory=dict)  # without a sandbox: links in its home, where to by path
    limits: Limits = Limits()

    @property
    def scripted(self) -> bool:
        """A command of somebody's own: it knows no harness that would start its budget or judge its weights."""
        return self.score_command is None and self.train_data is None


def write_spec(spec: RunSpec) -> None:
    """Makes the run's directory. Raises OSError."""
    directory = Path(spec.run_dir)
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "spec.json", asdict(spec), sync=False)


def read_spec(run_dir: Path) -> RunSpec:
    """Raises ValueError when there is none that makes sense."""
    values = read_json(run_dir / "spec.json")
    if values is None or not isinstance(values.get("limits"), dict):
        raise ValueError(f"{run_dir / 'spec.json'} is missing or broken")
    try:
        return RunSpec(**known(RunSpec, {**values, "limits": Limits(**known(Limits, values["limits"]))}))
    except TypeError as error:
        raise ValueError(f"{run_dir / 'spec.json'} is incomplete ({error})") from error
