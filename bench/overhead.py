"""What sandbox, guard and sealed scoring cost, beside the same training and scoring in one plain process.

    python bench/overhead.py [--pairs 5] [--budget 15]

Each pair trains the start of a new lab twice with the same seed and budget, in turns: once as a run of the lab (guard,
supervisor, sandbox, two blind answerers, the scorer), once as karpathy/autoresearch does it, where the training process
itself works out the bits per byte of as many targets at its end. CPU seconds are those of all processes of the run,
as the kernel counts them when they have been waited for; they say what is spent whether or not the machine is busy.
The guard is timed by itself, for it works before a slot is taken.

The last lines carry the absolute cost over to a budget of 300 s. On a machine without a GPU that is an extrapolation:
there the sandbox is the same and the scorer has 2^20 targets, which a GPU answers; only a GPU can tell how quickly.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.guard import program_hash, refusals
from orchestrator.lab import Lab
from orchestrator.measurement.specs import spec_of, worktree_of
from orchestrator.patches.sizing import against_size
from orchestrator.runs import Ended
from orchestrator.runs.child import of_slot
from orchestrator.runs.slots import device_kind
from orchestrator.store.records import RunKind
from orchestrator.store.writer import Measurement, Place

GPU_BUDGET_SECONDS = 300.0

PLAIN = """
import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

import train

model = train.train()
train.prepare.save(model)
tokens = torch.from_numpy(np.fromfile(sys.argv[1], dtype=sys.argv[2])[: 2**17 + 1].astype("int64"))
model.eval()
total = 0.0
with torch.no_grad():
    for start in range(0, 2**17, 64 * train.SEQUENCE):
        rows = tokens[start : start + 64 * train.SEQUENCE + 1]
        count = (len(rows) - 1) // train.SEQUENCE
        if count == 0:
            break
        asked = rows[: count * train.SEQUENCE].view(count, -1)
        wanted = rows[1 : count * train.SEQUENCE + 1].view(count, -1)
        total += F.cross_entropy(model(asked).float().flatten(0, 1), wanted.flatten(), reduction="sum").item()
print("bits per byte", total / math.log(2) / 2**17)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    cpu: float  # seconds of all processes
    wall: float
    steps: int


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def sealed(context: Context, seed: int) -> Cost:
    """A run of the lab, as the engine starts it."""
    slot, start = context.executor.slots()[0], await context.store.experiment(0)
    assert start is not None and start.commit_id is not None
    place = Place(slot.name, device_kind(slot), context.walls.kind)
    run = await context.store.begin_run(start, RunKind.BASELINE, seed, place, start.commit_id)
    context.repository.checkout_commit(worktree_of(context, run.id), start.commit_id)
    before, begin = _cpu_of_children(), time.monotonic()
    await context.executor.start(spec_of(context, run, slot))
    while not isinstance(state := await context.executor.status(context.lab.run_directory(run.id)), Ended):
        await asyncio.sleep(0.05)
    cost = Cost(_cpu_of_children() - before, time.monotonic() - begin, state.result.steps or 0)
    if state.result.val_bpb is None:
        raise SystemExit(f"the run has no score: {state.result.reason}")
    await context.store.end_run(run.id, Measurement("scored", "scored", state.result.val_bpb))
    context.repository.remove_worktree(worktree_of(context, run.id))
    return cost


def plain(context: Context, directory: Path, seed: int) -> Cost:
    """The same training, and a score worked out by the training process itself."""
    budget = context.settings.run.budget_seconds
    out = directory / f"plain-{seed}"
    out.mkdir()
    environment = {
        **os.environ,
        **of_slot(None, "cpu"),
        "AUTOLAB_PROFILE": context.settings.lab.profile,
        "AUTOLAB_RUN_DIR": str(out),
        "AUTOLAB_SEED": str(seed),
        "AUTOLAB_BUDGET_SECONDS": str(budget),
        "AUTOLAB_TRAIN_DATA": context.corpus.train,
        "PYTHONPATH": str(context.lab.root),
    }
    tokens = str(Path(context.corpus.validation) / "tokens.bin")
    before, begin = _cpu_of_children(), time.monotonic()
    subprocess.run(
        [sys.executable, "-c", PLAIN, tokens, "uint8"], env=environment, check=True, stdout=subprocess.DEVNULL, cwd=out
    )
    wall = time.monotonic() - begin
    steps = sum(1 for line in (out / "metrics.jsonl").read_text().splitlines() if '"loss"' in line)
    return Cost(_cpu_of_children() - before, wall, steps)


async def guard_seconds(context: Context) -> tuple[float, float]:
    """CPU seconds of reading a patch of a constant, and of building a patched model beforehand."""
    before = await context.sources("master")
    after = {path: text.replace("LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3") for path, text in before.items()}
    begin = time.process_time()
    assert not refusals(before, after, contract=True)
    program_hash(after)
    reading = time.process_time() - begin
    start = _cpu_of_children()
    assert not await against_size(context, context.lab.root)
    return reading, _cpu_of_children() - start


async def measure(lab: Path, pairs: int) -> None:
    async with opened(Lab(lab)) as context:
        budget = context.settings.run.budget_seconds
        reading, building = await guard_seconds(context)
        ours: list[Cost] = []
        theirs: list[Cost] = []
        with tempfile.TemporaryDirectory() as directory:
            for seed in range(1, pairs + 1):
                order = (True, False) if seed % 2 else (False, True)
                for is_ours in order:
                    if is_ours:
                        ours.append(await sealed(context, seed))
                    else:
                        theirs.append(await asyncio.to_thread(plain, context, Path(directory), seed))
                print(
                    f"pair {seed}: {ours[-1].cpu:.2f} CPU s against {theirs[-1].cpu:.2f}", file=sys.stderr, flush=True
                )
        _tell(context.walls.kind, budget, ours, theirs, reading, building)


def _tell(sandbox: str, budget: float, ours: list[Cost], theirs: list[Cost], reading: float, building: float) -> None:
    extra = [one.cpu - other.cpu for one, other in zip(ours, theirs, strict=True)]
    steps = [one.steps / other.steps for one, other in zip(ours, theirs, strict=True)]
    print(f"{len(ours)} pairs, a budget of {budget:g} CPU s, sandbox {sandbox}; load {os.getloadavg()[0]:.1f}")
    print(f"{'':<34}{'median':>9}{'least':>9}{'most':>9}")
    for name, values, form in (
        ("a run of the lab, CPU s", [one.cpu for one in ours], ".2f"),
        ("one plain process, CPU s", [one.cpu for one in theirs], ".2f"),
        ("more CPU s", extra, ".2f"),
        ("ratio", [one.cpu / other.cpu for one, other in zip(ours, theirs, strict=True)], ".3f"),
        ("training steps, ratio", steps, ".3f"),
        ("a run of the lab, wall s", [one.wall for one in ours], ".2f"),
        ("one plain process, wall s", [one.wall for one in theirs], ".2f"),
    ):
        print(f"{name:<34}" + "".join(f"{pick(values):>9{form}}" for pick in (statistics.median, min, max)))
    print(
        f"guard, before a slot is taken: {reading:.2f} CPU s to read a patch, {building:.2f} to build a changed model"
    )
    middle = statistics.median(extra)
    print(
        f"of this budget {middle / budget:.1%}; the same CPU seconds are {middle / GPU_BUDGET_SECONDS:.1%} of 300 s",
        end=" ",
    )
    print("(extrapolated)")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--budget", type=float, default=15.0, help="CPU seconds of training")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        lab = Path(directory) / "lab"
        init = [sys.executable, "-m", "orchestrator.cli.main", "init", str(lab), "--profile", "cpu"]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
        settings = lab / "autolab.toml"
        text = settings.read_text()
        settings.write_text(text.replace("budget_seconds = 15", f"budget_seconds = {words.budget:g}"))
        asyncio.run(measure(lab, words.pairs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
