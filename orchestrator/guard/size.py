"""Whether a patched model can be built, answers with logits, and fits a slot: asked of probe.py, before any GPU second.

The caller owns the process: it hands in a function that runs a command line, inside the sandbox.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.runs.log_text import inert
from orchestrator.runs.untrusted import count

PROBE = Path(__file__).with_name("probe.py")
"""A program of its own: it needs torch, train.py and the prepare.py beside that, and nothing of this package."""

Run = Callable[[list[str]], "subprocess.CompletedProcess[str]"]
"""Runs a command line to its end and returns its output as text. AUTOLAB_PROFILE must be set in its environment."""

KEPT_SHARE = 0.25
"""Of the activations as plain float32 code keeps them, what a run may need at least: autocast halves their size, and
what a compiler recomputes or fuses is taken to be half of them."""

LONGEST = 300
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Size:
    """What the probe found; bytes. None where it could not be told."""

    refused: tuple[str, ...] = ()  # one sentence each; empty when the patch passes
    parameters: int | None = None
    weights: int | None = None
    training: int | None = None  # weights, gradients, optimiser state and activations: an estimate

    def __str__(self) -> str:
        if self.parameters is None:
            return "of unknown size"
        needed = "" if self.training is None else f", about {self.training / GIB:.2f} GiB in training"
        return f"{self.parameters:,} parameters{needed}"


def probe(
    train: Path, run: Run, memory: int | None = None, program: Path = PROBE, python: str = sys.executable
) -> Size:
    """Build the model of the train.py at `train` and measure it against `memory`, the bytes that a slot has.

    `program` is where the hook's process finds probe.py. In doubt nothing is refused: a probe that is killed, runs
    out of time or says nothing sensible leaves the judgement to the run. Blocks.
    """
    command = [python, "-u", str(program), str(train), *([] if memory is None else [str(memory)])]
    try:
        told = _answer(run(command).stdout)
    except (subprocess.TimeoutExpired, OSError):
        return Size()
    if told is None:
        return Size()
    parameters, weights, gradients, optimiser, activations = (
        count(told.get(key)) for key in ("parameters", "weights", "gradients", "optimiser", "activations")
    )
    training = None
    if weights is not None and gradients is not None and optimiser is not None:
        training = weights + gradients + optimiser
    refused = list(_failure(train.name, told.get("failed")))
    if memory is not None and training is not None:
        refused += _too_large(train.name, parameters or 0, training, activations or 0, memory)
    whole = None if training is None else training + (activations or 0)
    return Size(tuple(refused), parameters, weights, whole)


def _answer(output: str) -> dict[str, Any] | None:
    lines = output.strip().splitlines()
    try:
        told = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


_STAGES = {
    "import": ("cannot be imported", "Correct it; importing it must only define things."),
    "build_model": ("fails in build_model()", "Correct it; the scorer calls build_model() without arguments."),
    "model": ("builds a wrong model", "Return an nn.Module from build_model()."),
    "forward": ("fails when its model is asked for logits", "Correct it; the scorer calls model(tokens[B, T])."),
    "logits": ("answers in a wrong shape", "Return logits[B, T, V] from forward()."),
}


def _failure(name: str, failed: object) -> list[str]:
    if not isinstance(failed, dict) or failed.get("stage") not in _STAGES:
        return []
    what, remedy = _STAGES[failed["stage"]]
    line = count(failed.get("line"))
    place = name if line is None else f"{name}, line {line}"
    words = " ".join(inert(str(failed.get("words"))).split())[:LONGEST].rstrip(". ")
    return [f"{place}: the program {what} ({words}). {remedy}"]


def _too_large(name: str, parameters: int, training: int, activations: int, memory: int) -> list[str]:
    """Refused is only what no compiler and no autocast can make fit."""
    if training > memory:
        return [
            f"{name}: {parameters:,} parameters need {training / GIB:.1f} GiB to train, with gradients and the"
            f" optimiser's state, and a slot has {memory / GIB:.1f}; make the model smaller."
        ]
    least = training + int(KEPT_SHARE * activations)
    if least > memory:
        return [
            f"{name}: a micro-batch needs at least {least / GIB:.1f} GiB in training and a slot has"
            f" {memory / GIB:.1f}; make BATCH or SEQUENCE smaller, and ACCUMULATION larger in its place."
        ]
    return []
