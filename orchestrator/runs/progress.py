"""How a run goes: `status.json`, written by its supervisor about twice a second, read by everybody else."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.runs.files import read_json, write_json
from orchestrator.runs.identity import Identity
from orchestrator.runs.untrusted import count, real, share

NAME = "status.json"
PHASES = ("starting", "training", "scoring", "paused")


@dataclass(frozen=True, slots=True)
class Progress:
    phase: str  # one of PHASES
    progress: float | None  # share of the budget, 0..1
    step: int | None
    loss: float | None
    seconds: float | None  # of training, by the run's clock
    memory_bytes: int  # resident, of all processes of the run
    cpu_seconds: float  # of all of them so far
    processes: tuple[tuple[int, int], ...]  # pid and start time of those there are and were, the latest first


def write_progress(run_dir: Path, progress: Progress) -> None:
    """Raises OSError."""
    write_json(run_dir / NAME, asdict(progress), sync=False)


def read_progress(run_dir: Path) -> Progress | None:
    """None before the first; what makes no sense in it is left out (a run could write there)."""
    values = read_json(run_dir / NAME)
    if values is None:
        return None
    phase = values.get("phase")
    return Progress(
        phase=phase if phase in PHASES else "starting",
        progress=share(values.get("progress")),
        step=count(values.get("step")),
        loss=real(values.get("loss")),
        seconds=real(values.get("seconds")),
        memory_bytes=count(values.get("memory_bytes")) or 0,
        cpu_seconds=real(values.get("cpu_seconds")) or 0.0,
        processes=_pairs(values.get("processes")),
    )


def noted_processes(run_dir: Path, supervisor: Identity) -> list[Identity]:
    """The processes that a supervisor has noted as its run's. None is older than itself, whatever stands there."""
    progress = read_progress(run_dir)
    noted = progress.processes if progress is not None else ()
    return [
        Identity(pid, start, supervisor.boot_id)
        for pid, start in noted
        if start >= supervisor.start_time and pid != supervisor.pid
    ]


def _pairs(value: object) -> tuple[tuple[int, int], ...]:
    if not isinstance(value, list):
        return ()
    pairs = []
    for item in value:
        if isinstance(item, list) and len(item) == 2:
            pid, start = count(item[0]), count(item[1])
            if pid and start is not None:
                pairs.append((pid, start))
    return tuple(pairs)
