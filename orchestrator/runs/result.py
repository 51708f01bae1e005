"""What came of a run, told apart in words: `result.json`, complete or not there."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path

from orchestrator.runs.files import known, read_json, write_json
from orchestrator.runs.untrusted import count, real


class Outcome(StrEnum):
    SCORED = "scored"
    CRASH = "crash"
    OUT_OF_MEMORY = "out of memory"
    NAN = "nan"
    HANG = "hang"
    TIME_OUT = "time-out"
    KILLED = "killed"
    NO_CHECKPOINT = "no checkpoint"
    INVALID = "invalid"
    LOST = "lost"
    PRUNED = "pruned"  # early stopping ended it


FAILED = frozenset(Outcome) - {Outcome.SCORED}


class Cut(Exception):
    """A run comes to an end that is not a score: raised by whichever rule of the harness says so."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


@dataclass(frozen=True, slots=True)
class RunResult:
    """Seconds are wall seconds, but for `training_seconds`, which follows the run's clock; memory is in bytes."""

    outcome: Outcome
    reason: str  # a sentence for people
    val_bpb: float | None = None
    startup_seconds: float | None = None
    training_seconds: float | None = None
    scoring_seconds: float | None = None
    steps: int | None = None
    tokens: int | None = None
    parameters: int | None = None
    peak_memory_bytes: int | None = None  # resident, of all processes of the run together
    exit_code: int | None = None  # the trainer's; minus the signal's number if one ended it
    started_at: str | None = None  # UTC, ISO 8601
    ended_at: str | None = None
    provenance: dict[str, str] = field(default_factory=dict)


def write_result(run_dir: Path, result: RunResult) -> None:
    """Raises OSError."""
    write_json(run_dir / "result.json", asdict(result), sync=True)


def read_result(run_dir: Path) -> RunResult | None:
    """None when there is none, or none that makes sense."""
    values = read_json(run_dir / "result.json")
    if values is None:
        return None
    try:
        result = RunResult(**known(RunResult, {**values, "outcome": Outcome(values["outcome"])}))
    except (KeyError, TypeError, ValueError):
        return None
    numbers = (result.val_bpb, result.startup_seconds, result.training_seconds, result.scoring_seconds)
    counts = (result.steps, result.tokens, result.parameters, result.peak_memory_bytes)
    sound = all(n is None or real(n) is not None for n in numbers) and all(n is None or count(n) == n for n in counts)
    sound = sound and isinstance(result.provenance, dict)
    return result if sound and isinstance(result.reason, str) else None
