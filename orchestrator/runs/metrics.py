"""Following a run's live curve: `metrics.jsonl`, written by the trainer, so believed in nothing that counts.

What makes sense of it is kept, line by line, where the trainer cannot reach: that copy is what everybody else reads.
"""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.runs.files import open_plain, read_piece
from orchestrator.runs.untrusted import count, real, share

MOST_BYTES_A_LOOK = 2**20
LONGEST_LINE = 2**16
MOST_BYTES_KEPT = 16 * 2**20
MOST_KEYS = 32
LONGEST_KEY = 40
EVENTS = ("start", "saved")


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

    def __init__(self, path: Path, kept: Path | None = None) -> None:
        """`kept` is where the copy goes."""
        self._path = path
        self._kept = kept
        self._room = MOST_BYTES_KEPT
        self._unkept: list[str] = []
        self._offset = 0
        self._rest = b""
        self.curve = Curve()

    def look(self) -> bool:
        """True when something was appended."""
        try:
            with open_plain(self._path) as (descriptor, size):
                if size < self._offset:  # written anew
                    self._offset, self._rest = 0, b""
                piece = read_piece(descriptor, self._offset, MOST_BYTES_A_LOOK)
        except OSError:
            return False
        if not piece:
            return False
        self._offset += len(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        self._rest = self._rest[: LONGEST_LINE + 1]  # so much shows that a line is too long, and that is all it takes
        for line in lines:
            if len(line) <= LONGEST_LINE:
                self._take(line)
        self._keep()
        return True

    def look_to_the_end(self, most_looks: int = 64) -> None:
        """All that was appended, for a trainer that has ended."""
        while most_looks > 0 and self.look():
            most_looks -= 1

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
        curve.steps = _or(count(values.get("step")), curve.steps)
        curve.tokens = _or(count(values.get("tokens")), curve.tokens)
        progress = share(values.get("progress"))
        curve.progress = curve.progress if progress is None else progress
        if "loss" in values:
            self._take_loss(values["loss"])
        if self._kept is not None and (sense := _sense_of(values)):
            self._unkept.append(json.dumps(sense) + "\n")

    def _keep(self) -> None:
        """A full disk costs points of the curve, not the run."""
        text, self._unkept = "".join(self._unkept), []
        if self._kept is None or not text or len(text) > self._room:
            return
        with contextlib.suppress(OSError), self._kept.open("a", encoding="utf-8") as file:
            self._room -= len(text)
            file.write(text)

    def _take_loss(self, value: object) -> None:
        """A number, or a number in words ("nan": JSON has no word of its own for it)."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return
        try:
            loss = float(value)
        except ValueError:
            return
        except OverflowError:
            loss = math.inf
        if math.isfinite(loss):
            self.curve.loss = loss
        elif self.curve.not_finite is None:
            self.curve.not_finite = f"{loss}"


def _sense_of(values: dict[str, Any]) -> dict[str, float | str]:
    """The numbers of a line by their names, and its event; a loss that is none, in words."""
    found: dict[str, float | str] = {}
    for key, value in list(values.items())[:MOST_KEYS]:
        number = real(value)
        if len(key) > LONGEST_KEY or not key.isprintable():
            continue
        if number is not None:
            found[key] = int(number) if isinstance(value, int) else number
        elif (key == "event" and value in EVENTS) or (key == "loss" and str(value) in ("nan", "inf", "-inf")):
            found[key] = str(value)
    return found


def _or(value: int | None, otherwise: int | None) -> int | None:
    return otherwise if value is None else value
