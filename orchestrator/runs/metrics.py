"""Following a run's live curve: `metrics.jsonl`, written by the trainer, so believed in nothing that counts."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

MOST_BYTES_A_LOOK = 2**20
LONGEST_LINE = 2**16


@dataclass(slots=True)
class Curve:
    """What the curve has shown so far."""

    started: bool = False
    steps: int | None = None
    progress: float | None = None
    loss: float | None = None
    tokens: int | None = None
    not_finite: str | None = None  # the loss in words, when it is not a number


class Follower:
    """Reads what was appended since the last look, bounded in bytes, whatever stands there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""
        self.curve = Curve()

    def look(self) -> bool:
        """True when something was appended."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                piece = file.read(MOST_BYTES_A_LOOK)
        except OSError:
            return False
        if not piece:
            return False
        self._offset += len(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        self._rest = self._rest[-LONGEST_LINE:]
        for line in lines:
            self._take(line)
        return True

    def _take(self, line: bytes) -> None:
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(values, dict):
            return
        curve = self.curve
        if values.get("event") == "start":
            curve.started = True
        curve.steps = _whole(values.get("step"), curve.steps)
        curve.tokens = _whole(values.get("tokens"), curve.tokens)
        curve.progress = _real(values.get("progress"), curve.progress)
        if "loss" in values:
            try:
                loss = float(values["loss"])
            except (TypeError, ValueError):
                return
            if math.isfinite(loss):
                curve.loss = loss
            else:
                curve.not_finite = f"{loss}"


def _whole(value: object, otherwise: int | None) -> int | None:
    real = _real(value, None)
    return otherwise if real is None else int(real)


def _real(value: object, otherwise: float | None) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return otherwise
    try:
        number = float(value)
    except OverflowError:
        return otherwise
    return number if math.isfinite(number) else otherwise
