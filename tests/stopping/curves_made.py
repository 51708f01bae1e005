"""Curves whose truth is known: a falling loss with an offset, a schedule and noise, as a metrics file would show it."""

from __future__ import annotations

import random

from orchestrator.stopping import Curve, Record, curve_of, record_of

SCATTER = 0.1  # of a single batch's loss


def curve(
    seed: int,
    behind: float = 0.0,
    *,
    until: float = 1.0,
    late: float = 0.0,
    warmdown: float = 0.5,
    gain: float = 0.3,
    log_rate: bool = False,
    scatter: float = SCATTER,
    points: int = 200,
) -> Curve:
    """A curve that ends `behind` above the plain one.

    `late`: how much further behind it is at the start, made up evenly until the end. `warmdown`: where the rate begins
    to fall to zero, which takes `gain` off the loss by the end.
    """
    noise = random.Random(seed)
    lines: list[dict[str, object]] = []
    for step in range(1, points + 1):
        progress = step / points
        if progress > until:
            break
        done = max(0.0, (progress - warmdown) / (1 - warmdown))
        loss = 2.5 + 0.3 / (progress + 0.05) - gain * done + behind + late * (1 - progress)
        line: dict[str, object] = {"step": step, "progress": progress, "loss": loss + noise.gauss(0, scatter)}
        if log_rate:
            line["lr"] = 1e-3 * (1 - done)
        lines.append(line)
    return curve_of(lines)


BASELINE = tuple(curve(seed) for seed in (1, 2, 3))
BASELINE_SCORES = (3.40, 3.41, 3.42)


def record(run_id: int, delta: float, late: float = 0.0, *, score_noise: float = 0.01, weight: float = 1.0) -> Record:
    """A finished run whose curve ended `delta` behind and whose score tells the same, but for its noise."""
    noise = random.Random(f"score {run_id}").gauss(0, score_noise)
    made = curve(1000 + run_id, delta, late=late)
    return record_of(run_id, made, 3.41 + delta + noise, BASELINE, BASELINE_SCORES, weight=weight)


def recorded(number: int, *, seed: int = 0, hopeless: float = 0.4, late: float = 0.0) -> list[Record]:
    """Runs as a lab records them: some far behind from the start, the others level, a bit better or a bit worse."""
    draw = random.Random(seed)
    records = []
    for run_id in range(number):
        delta = draw.uniform(0.2, 0.8) if draw.random() < hopeless else draw.gauss(0, 0.05)
        records.append(record(run_id + 10_000 * seed, delta, late * draw.random()))
    return records
