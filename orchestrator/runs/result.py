"""What came of a run, told apart in words, and written so that it is complete or not there."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


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


@dataclass(frozen=True, slots=True)
class RunResult:
    """Seconds are wall seconds, but for `training_seconds`, which follows the run's clock; memory is in bytes."""

    outcome: Outcome
    reason: str
    val_bpb: float | None = None
    startup_seconds: float | None = None
    training_seconds: float | None = None
    scoring_seconds: float | None = None
    steps: int | None = None
    tokens: int | None = None
    parameters: int | None = None
    peak_memory_bytes: int | None = None
    exit_code: int | None = None


def write_json(path: Path, value: dict[str, Any], *, sync: bool) -> None:
    """By rename; with `sync` it also survives a power cut."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)
    if sync:
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None when it is not there or is not one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def write_result(run_dir: Path, result: RunResult) -> None:
    write_json(run_dir / "result.json", asdict(result), sync=True)


def read_result(run_dir: Path) -> RunResult | None:
    values = read_json(run_dir / "result.json")
    if values is None:
        return None
    try:
        return RunResult(**{**values, "outcome": Outcome(values["outcome"])})
    except (KeyError, TypeError, ValueError):
        return None
