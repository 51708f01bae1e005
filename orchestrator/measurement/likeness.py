"""Runs that ought to differ and do not: the assigned seed decides the weights' beginning and the order of the data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

from orchestrator.lab import Lab
from orchestrator.store.records import Run

FIRST_BYTES = 4096


def seed_ignored(lab: Lab, runs: Sequence[Run]) -> str | None:
    """Why runs of one commit have not taken their seeds, in a sentence; None when they differ. Blocks.

    Runs with different seeds that give the same weights, the same score, or the same loss at their first step.
    """
    scored = [run for run in runs if run.val_bpb is not None]
    for one, other in combinations(scored, 2):
        if one.seed == other.seed:
            continue
        alike = _alike(lab, one, other)
        if alike is not None:
            return f"the assigned seed is ignored: seeds {one.seed} and {other.seed} gave the same {alike}"
    return None


def _alike(lab: Lab, one: Run, other: Run) -> str | None:
    if one.val_bpb == other.val_bpb:
        return f"score {one.val_bpb:.6f}"
    weights = one.provenance.get("weights")
    if weights is not None and weights == other.provenance.get("weights"):
        return "weights"
    losses = [_first_loss(lab.run_directory(run.id) / "metrics.jsonl") for run in (one, other)]
    return f"first loss {losses[0]:.6f}" if losses[0] is not None and losses[0] == losses[1] else None


def _first_loss(curve: Path) -> float | None:
    """Of the first step; None when the curve does not begin with it."""
    try:
        with curve.open("rb") as file:
            lines = file.read(FIRST_BYTES).splitlines()
    except OSError:
        return None
    for line in lines:
        try:
            point = json.loads(line)
        except ValueError:
            continue
        if point.get("step") == 1 and isinstance(point.get("loss"), float):
            return float(point["loss"])
    return None
