"""A lab in the middle of its work, for agents to be tried in: a measured start, outcomes, and a job for every role.

Nothing trains: scores are put on record as runs of three seeds would leave them. The patches are real commits.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.context import Context
from orchestrator.create import create_lab
from orchestrator.daemon import opened
from orchestrator.guard import program_hash
from orchestrator.lab import Lab
from orchestrator.patches.submitting import commit_patch
from orchestrator.store.records import Experiment, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal
from orchestrator.team.crew import muster

START, NOISE = 3.333, 0.011
"""Bits per byte of the start, and the standard deviation of one run."""
TEAM = "bench"


@dataclass(frozen=True, slots=True)
class Idea:
    """An idea with its edit of train.py, and what it is worth in bits per byte; None: its run crashes."""

    title: str
    hypothesis: str
    source: str
    variable: str
    old: str
    new: str
    effect: float | None

    @property
    def proposal(self) -> Proposal:
        edit = f"in train.py, replace `{self.old.strip()}` by `{self.new.strip()}`"
        return Proposal(self.title, self.hypothesis, self.source, self.variable, edit)


IDEAS = (
    Idea(
        "Squared ReLU in the MLP",
        "Squared ReLU instead of GELU lowers val_bpb by about 0.05: sparser features at no cost.",
        "arXiv:2109.08668",
        "activation function of the MLP",
        "    return F.gelu(x)\n",
        "    return F.relu(x).square()\n",
        -0.09,
    ),
    Idea(
        "Learning rate 2e-3",
        "The rate is low for so few steps; twice as much lowers val_bpb by about 0.05.",
        "own reasoning",
        "LEARNING_RATE",
        "LEARNING_RATE = 1e-3\n",
        "LEARNING_RATE = 2e-3\n",
        -0.07,
    ),
    Idea(
        "Depth 4 instead of 2",
        "A deeper model learns more from each token, about -0.05.",
        "own reasoning",
        "DEPTH",
        "DEPTH = prepare.pick(cpu=2, gpu=8)",
        "DEPTH = prepare.pick(cpu=4, gpu=8)",
        0.24,
    ),
    Idea(
        "No weight decay",
        "So short a training needs no regularisation; about -0.01.",
        "own reasoning",
        "WEIGHT_DECAY",
        "WEIGHT_DECAY = 0.1\n",
        "WEIGHT_DECAY = 0.0\n",
        0.002,
    ),
    Idea(
        "Linear warmdown over the last fifth",
        "A falling rate at the end averages the noise of the steps out; about -0.04.",
        "arXiv:2405.18392",
        "rate_at",
        "    return 1.0\n",
        "    return min(1.0, (1.0 - progress) / 0.2)\n",
        -0.03,
    ),
    Idea(
        "Momentum of the second moment 0.99",
        "A longer memory of the gradients' size steadies the steps; about -0.01.",
        "own reasoning",
        "BETA2",
        "BETA2 = 0.95\n",
        "BETA2 = 0.99\n",
        None,
    ),
    Idea(
        "Warm-up over the first tenth",
        "A rate that rises from nothing spares the first steps; about -0.02.",
        "arXiv:1706.03762",
        "rate_at",
        "    return 1.0\n",
        "    return min(1.0, progress / 0.1)\n",
        0.02,
    ),
)
MEASURED = (0, 2, 3, 5, 6)
"""Which of IDEAS have an outcome; the others are work for the roles."""


@asynccontextmanager
async def working_lab(root: Path) -> AsyncIterator[Context]:
    """The lab at `root`, held as its daemon holds it; it is made where there is none yet."""
    lab = Lab(root)
    fresh = not lab.exists
    if fresh:
        await create_lab(root, "cpu")
    async with opened(lab) as context:
        if fresh:
            await _begin(context)
        await context.store.set_agents([(m.name, m.role.name, TEAM, "none") for m in muster(context)])
        yield context


async def _begin(context: Context) -> None:
    """Put the start and the first outcomes on record."""
    chance = random.Random(7)
    start = await context.store.experiment(0)
    assert start is not None
    for seed in (1, 2, 3):
        await _measure(context, start, RunKind.BASELINE, seed, START + chance.gauss(0, NOISE))
    for number in MEASURED:
        idea = IDEAS[number]
        made = await patched(context, idea)
        await context.store.move(made.id, State.READY, "approved: one change, not tried before", actor="reviewer")
        if idea.effect is None:
            await _measure(context, made, RunKind.SCREEN, 1, None)
            continue
        score = START + idea.effect + chance.gauss(0, NOISE)
        await _measure(context, made, RunKind.SCREEN, 1, score)
        await context.store.move(made.id, State.SCORED, f"scored {score:.4f}")
        if idea.effect > 0:
            reason = f"{score:.4f} does not beat the baseline's {START:.4f}"
            await context.store.move(made.id, State.DISCARDED, reason)
        else:
            await context.store.move(made.id, State.CONFIRMING, "beats the baseline; another seed")
            await _measure(context, made, RunKind.CONFIRM, 2, START)
            reason = "the mean of two runs is within the noise of the baseline"
            await context.store.move(made.id, State.NOT_CONFIRMED, reason)


async def _measure(context: Context, made: Experiment, kind: RunKind, seed: int, score: float | None) -> None:
    assert made.commit_id is not None
    run = await context.store.begin_run(made, kind, seed, Place("cpu0", "a core", "bubblewrap"), made.commit_id)
    if score is None:
        reason = "train.py crashed: RuntimeError: expected a float, got None"
        await context.store.end_run(run.id, Measurement("crash", reason))
        await context.store.move(made.id, State.CRASHED, reason)
    else:
        await context.store.end_run(run.id, Measurement("scored", f"scored {score:.4f}", score, training_seconds=15.0))


async def queued(context: Context, idea: Idea) -> Experiment:
    """The idea as the planner leaves it."""
    made = await context.store.add_experiment(idea.proposal, author="researcher", team=TEAM)
    return await context.store.move(made.id, State.QUEUED, "queued: a good reason, not tried yet", actor="planner")


async def patched(context: Context, idea: Idea) -> Experiment:
    """The idea as a worker leaves it: on a branch of its own, for the reviewer."""
    made = await queued(context, idea)
    await context.store.move(made.id, State.PATCHING, "worker-1 makes the patch", actor="worker-1")
    master = await context.store.master()
    assert master is not None
    tree = context.lab.worktrees / "bench"
    await asyncio.to_thread(context.repository.checkout_commit, tree, master.commit_id)
    source = (tree / "train.py").read_text("utf-8")
    assert source.count(idea.old) == 1, f"{idea.old!r} stands {source.count(idea.old)} times in train.py"
    (tree / "train.py").write_text(source.replace(idea.old, idea.new), "utf-8")
    program = program_hash({"train.py": source.replace(idea.old, idea.new)})
    told: dict[str, Any] = {"model": "by hand", "actor": "worker-1", "reason": "patch submitted", "program": program}
    await commit_patch(context, made, tree, master.commit_id, **told)
    await asyncio.to_thread(context.repository.remove_worktree, tree)
    known = await context.store.experiment(made.id)
    assert known is not None
    return known


async def lay_out(context: Context, role: str, number: int) -> None:
    """See to it that the role has a job, whatever the last one left behind: the other roles' part, played by rote."""
    store = context.store
    for left in await store.in_states([State.PROPOSED, State.QUEUED]):
        await store.move(left.id, State.DROPPED, "dropped: the bench makes room", actor=TEAM)
    for left in await store.in_states([State.PATCHING, State.READY]):
        await store.move(left.id, State.REJECTED, "rejected: the bench makes room", actor=TEAM)
    fresh = [idea for at, idea in enumerate(IDEAS) if at not in MEASURED]
    outcomes = await store.count_outcomes()
    due = str(outcomes - context.settings.team.wave)
    match role:
        case "planner":
            for idea in (fresh[number % len(fresh)], IDEAS[MEASURED[number % len(MEASURED)]]):
                await store.add_experiment(idea.proposal, author="researcher", team=TEAM)
        case "worker":
            await queued(context, fresh[number % len(fresh)])
        case "reviewer" if number % 2:
            await store.set_meta("outcomes_reviewed", due)
        case "reviewer":
            await store.set_meta("outcomes_reviewed", str(outcomes))
            await patched(context, IDEAS[number // 2 % len(IDEAS)])
        case "reporter":
            await store.set_meta("outcomes_reported", due)
        case _:
            return
