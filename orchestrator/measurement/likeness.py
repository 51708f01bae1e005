"""Runs that ought to differ and do not: the assigned seed decides the weights' beginning and the order of the data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from statistics import median

from orchestrator.lab import Lab
from orchestrator.runs.untrusted import count, real
from orchestrator.store.records import Run

READ_BYTES = 2**18  # of a curve
STEPS_COMPARED = 20
LEAST_STEPS = 3
SHARE_OF_CHANGE = 0.01
"""Curves are the same that differ by less than this share of what the loss changes from one compared step to the next:
other batches alone make it a good part of that."""

UNIFORM = (math.log(256), math.log(8192))
"""First losses, in nats, of a model whose head starts at zero: whatever the seed, it says nothing yet."""


_KNOWN: dict[tuple[Path, int, int], str | None] = {}
"""By lab and pair of runs, which have ended and do not change; asked for at every look."""


def seed_ignored(lab: Lab, runs: Sequence[Run]) -> str | None:
    """Why runs of one commit have not taken their seeds, in a sentence; None when they differ. Blocks.

    Runs with different seeds that give the same weights, the same score, the same loss at their first step, or the same
    curve but for a trace of noise.
    """
    for one, other in combinations([run for run in runs if run.counts], 2):
        if one.seed == other.seed:
            continue
        pair = (lab.root, one.id, other.id)
        if pair not in _KNOWN:
            _KNOWN[pair] = _alike(lab, one, other)
        if _KNOWN[pair] is not None:
            return f"the assigned seed is ignored: seeds {one.seed} and {other.seed} gave the same {_KNOWN[pair]}"
    return None


def baseline_ignores_seed(lab: Lab, runs: Sequence[Run], *, self_reported: bool) -> str | None:
    """The same of a baseline's runs. Blocks.

    What a script prints may be alike by chance, where it prints few digits: all of its runs have to be.
    """
    if not self_reported:
        return seed_ignored(lab, runs)
    pairs = list(pairwise(run for run in runs if run.counts))
    found = [seed_ignored(lab, pair) for pair in pairs]
    return found[0] if found and all(found) else None


def _alike(lab: Lab, one: Run, other: Run) -> str | None:
    if one.val_bpb == other.val_bpb:
        return f"score {one.val_bpb:.6f}"
    weights = one.provenance.get("weights")
    if weights is not None and weights == other.provenance.get("weights"):
        return "weights"
    curves = [losses_by_step(lab.run_directory(run.id) / "metrics.jsonl") for run in (one, other)]
    return same_beginning(*curves)


def same_beginning(one: Mapping[int, float], other: Mapping[int, float]) -> str | None:
    """What two curves, losses by step, have in common that seeds of their own would not give them; None for nothing."""
    first = one.get(1)
    if first is not None and first == other.get(1) and all(abs(first - uniform) > 1e-3 for uniform in UNIFORM):
        return f"first loss {first:.6f}"
    steps = sorted((one.keys() & other.keys()) - {1})[:STEPS_COMPARED]
    if len(steps) < LEAST_STEPS:
        return None
    change = median(abs(one[after] - one[before]) for before, after in pairwise(steps))
    if all(abs(one[step] - other[step]) <= SHARE_OF_CHANGE * change for step in steps):
        return f"losses at {len(steps)} steps"
    return None


def losses_by_step(curve: Path) -> dict[int, float]:
    """The beginning of a curve; empty when there is none."""
    try:
        with curve.open("rb") as file:
            lines = file.read(READ_BYTES).splitlines()
    except OSError:
        return {}
    found: dict[int, float] = {}
    for line in lines:
        try:
            point = json.loads(line)
        except ValueError:
            continue
        if isinstance(point, dict):
            step, loss = count(point.get("step")), real(point.get("loss"))
            if step is not None and loss is not None:
                found.setdefault(step, loss)
    return found
