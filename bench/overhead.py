"""What sandbox, guard and sealed scoring cost, beside the same training and scoring in one plain process.

    python bench/overhead.py [--profile cpu|gpu] [--pairs 5] [--budget 15]

Each pair trains the start of a new lab twice with the same seed and budget, in turns: once as a run of the lab (guard,
supervisor, sandbox, two blind answerers, the scorer), once as karpathy/autoresearch does it, where the training process
itself works out the bits per byte of as many targets at its end. The guard is timed by itself, for it works before a
slot is taken.

On the profile `cpu` seconds are CPU seconds of all processes of the run, as the kernel counts them when they have been
waited for: they say what is spent whether or not the machine is busy. On `gpu` they are wall seconds, for so long the
slot is taken. There the plain process finds from the second pair on what torch has compiled before; a run of the lab
compiles anew, for what one run leaves is no other's to read. The parts are told, so that this is seen apart.
The last line carries the absolute cost over to a budget of 300 s.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from nanogpt.evaluate import TARGETS
from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.guard import program_hash, refusals
from orchestrator.lab import Lab
from orchestrator.measurement.specs import spec_of, worktree_of
from orchestrator.patches.sizing import against_size
from orchestrator.runs import Ended
from orchestrator.runs.child import of_slot
from orchestrator.runs.family import become_subreaper
from orchestrator.runs.slots import device_kind
from orchestrator.store.records import RunKind
from orchestrator.store.writer import Measurement, Place

GPU_BUDGET_SECONDS = 300.0

PLAIN = """
import json
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import train

model = train.train()
trained = time.time()
train.prepare.save(model)
split, targets = Path(sys.argv[1]), int(sys.argv[2])
tokens = torch.from_numpy(np.fromfile(split / "tokens.bin", dtype=sys.argv[3])[: targets + 1].astype("int64"))
sizes = torch.ones(train.prepare.VOCABULARY)
if (split / "token_bytes.bin").exists():
    sizes = torch.from_numpy(np.fromfile(split / "token_bytes.bin", dtype=np.uint16).astype("float32"))
model.eval()
at_once = 64 * train.SEQUENCE if train.prepare.profile() == "cpu" else 8 * train.SEQUENCE
total, amount = 0.0, 0.0
with torch.no_grad(), train.prepare.precision():
    for start in range(0, len(tokens) - 1, at_once):
        rows = tokens[start : start + at_once + 1]
        count = (len(rows) - 1) // train.SEQUENCE
        if count == 0:
            break
        asked = rows[: count * train.SEQUENCE].view(count, -1).to(train.prepare.device())
        wanted = rows[1 : count * train.SEQUENCE + 1]
        amount += sizes[wanted].sum().item()
        logits = model(asked).float().flatten(0, 1)
        total += F.cross_entropy(logits, wanted.to(logits.device), reduction="sum").item()
print(json.dumps({"trained": trained, "val_bpb": total / math.log(2) / amount}))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    seconds: float  # CPU seconds of all processes, or wall seconds on a GPU
    wall: float
    steps: int
    startup: float  # wall seconds before the budget
    after: float  # wall seconds after it
    val_bpb: float


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
    used, wall, result = _cpu_of_children() - before, time.monotonic() - begin, state.result
    if result.val_bpb is None:
        raise SystemExit(f"the run has no score: {result.reason}")
    await context.store.end_run(run.id, Measurement("scored", "scored", result.val_bpb))
    context.repository.remove_worktree(worktree_of(context, run.id))
    startup, training = result.startup_seconds or 0.0, result.training_seconds or 0.0
    seconds = used if slot.gpu is None else wall
    return Cost(seconds, wall, result.steps or 0, startup, wall - startup - training, result.val_bpb)


def plain(context: Context, directory: Path, seed: int) -> Cost:
    """The same training, and a score worked out by the training process itself."""
    budget, profile, slot = context.settings.run.budget_seconds, context.corpus.profile, context.executor.slots()[0]
    out = directory / f"plain-{seed}"
    out.mkdir()
    environment = {
        **os.environ,
        **of_slot(slot.gpu, "cpu" if slot.gpu is None else "wall"),
        "AUTOLAB_PROFILE": profile,
        "AUTOLAB_RUN_DIR": str(out),
        "AUTOLAB_SEED": str(seed),
        "AUTOLAB_BUDGET_SECONDS": str(budget),
        "AUTOLAB_TRAIN_DATA": context.corpus.train,
        "TORCHINDUCTOR_CACHE_DIR": str(directory / "compiled"),
        "PYTHONPATH": str(context.lab.root),
    }
    kind = "uint8" if slot.gpu is None else "uint16"
    command = [sys.executable, "-c", PLAIN, context.corpus.validation, str(TARGETS[profile]), kind]
    before, started, begin = _cpu_of_children(), time.time(), time.monotonic()
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, cwd=out)
    wall, used = time.monotonic() - begin, _cpu_of_children() - before
    told = json.loads(done.stdout.splitlines()[-1])
    last = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines() if '"loss"' in line][-1]
    after = wall - (told["trained"] - started)
    seconds = used if slot.gpu is None else wall
    return Cost(seconds, wall, int(last["step"]), wall - after - float(last["seconds"]), after, told["val_bpb"])


async def guard_seconds(context: Context) -> tuple[float, float]:
    """CPU seconds of reading a patch of a constant, and of building a patched model beforehand."""
    before = await context.sources("master")
    after = {path: text.replace("LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3") for path, text in before.items()}
    begin = time.process_time()
    assert not refusals(before, after, contract=True)
    program_hash(after)
    reading = time.process_time() - begin
    become_subreaper()  # what bubblewrap leaves behind for somebody to bury counts only then
    start = _cpu_of_children()
    assert not await against_size(context, context.lab.root)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    return reading, _cpu_of_children() - start


async def measure(lab: Path, pairs: int) -> None:
    async with opened(Lab(lab)) as context:
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
                for name, one in (("lab", ours[-1]), ("plain", theirs[-1])):
                    print(f"pair {seed}: {name:<5} {one}", file=sys.stderr, flush=True)
        _tell(context, ours, theirs, reading, building)


def _tell(context: Context, ours: list[Cost], theirs: list[Cost], reading: float, building: float) -> None:
    budget, slot = context.settings.run.budget_seconds, context.executor.slots()[0]
    unit = "CPU s" if slot.gpu is None else "s"
    extra = [one.seconds - other.seconds for one, other in zip(ours, theirs, strict=True)]
    steps = [one.steps / other.steps for one, other in zip(ours, theirs, strict=True)]
    print(
        f"{len(ours)} pairs on {device_kind(slot)}, a budget of {budget:g} {unit}, sandbox {context.walls.kind};",
        end=" ",
    )
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"{'':<40}{'median':>9}{'least':>9}{'most':>9}")
    for name, values, form in (
        (f"a run of the lab, {unit}", [one.seconds for one in ours], ".2f"),
        (f"one plain process, {unit}", [one.seconds for one in theirs], ".2f"),
        (f"more {unit}", extra, ".2f"),
        ("ratio", [one.seconds / other.seconds for one, other in zip(ours, theirs, strict=True)], ".3f"),
        ("training steps, ratio", steps, ".3f"),
        ("a run of the lab, wall s", [one.wall for one in ours], ".2f"),
        ("  before its budget", [one.startup for one in ours], ".2f"),
        ("  after its budget", [one.after for one in ours], ".2f"),
        ("one plain process, wall s", [one.wall for one in theirs], ".2f"),
        ("  before its budget", [one.startup for one in theirs], ".2f"),
        ("  after its budget", [one.after for one in theirs], ".2f"),
    ):
        print(f"{name:<40}" + "".join(f"{pick(values):>9{form}}" for pick in (statistics.median, min, max)))
    print(
        f"guard, before a slot is taken: {reading:.2f} CPU s to read a patch, {building:.2f} to build a changed model"
    )
    middle = statistics.median(extra)
    print(f"of this budget {middle / budget:.1%}; the same seconds are {middle / GPU_BUDGET_SECONDS:.1%} of 300 s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--profile", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--budget", type=float, default=15.0, help="seconds of training, by the profile's clock")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        lab = Path(directory) / "lab"
        init = [sys.executable, "-m", "orchestrator.cli.main", "init", str(lab), "--profile", words.profile]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
        settings = lab / "autolab.toml"
        text = settings.read_text()
        settings.write_text(re.sub(r"^budget_seconds = .*", f"budget_seconds = {words.budget:g}", text, flags=re.M))
        asyncio.run(measure(lab, words.pairs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
