"""A lab to look at, made through the store: experiments in every state, runs under way, agents with logs."""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.branches import Repository
from orchestrator.lab import Lab
from orchestrator.settings_text import settings_text
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer
from tests.tui.lab_maker import TRAIN_PY

ENDS = (State.DISCARDED, State.PROMOTED, State.NOT_CONFIRMED, State.CRASHED)


async def make_empty_lab(root: Path) -> Lab:
    """A lab that was made a moment ago: nothing has run yet."""
    root.mkdir(parents=True)
    lab = Lab(root)
    files = {"train.py": b"LEARNING_RATE = 1e-3\n", "autolab.toml": settings_text("cpu", 15).encode()}
    repository = Repository.create(root, files, "Start", ["runs.db*", ".autolab/"])
    async with Writer(lab.database) as store:
        await store.add_start(repository.head(), "start", "the starting point of this lab")
    lab.hidden.mkdir(exist_ok=True)
    return lab


async def make_room_lab(root: Path, experiments: int = 12) -> Lab:
    """Write the lab; experiment 1 is promoted, one run is under way on cpu0, and two experiments wait."""
    root.mkdir(parents=True)
    lab = Lab(root)
    files = {"train.py": b"LEARNING_RATE = 1e-3\n", "autolab.toml": settings_text("cpu", 15).encode()}
    repository = Repository.create(root, files, "Start", ["runs.db*", ".autolab/"])
    start = repository.head()
    tree = lab.worktrees / "w"
    repository.checkout_commit(tree, start)
    (tree / "train.py").write_text("LEARNING_RATE = 3e-3\n")
    commit = repository.commit(tree, "Rate", "Faster", {"Experiment": "1", "Parent": start}, "worker-1")
    async with Writer(lab.database) as store:
        await store.set_meta("profile", "cpu")
        await store.add_start(start, "start", "the starting point of this lab")
        await store.set_slots([("cpu0", "CPU core"), ("cpu1", "CPU core")])
        await store.set_agents(
            [(role, role, "offline", "offline, rule-based, no language model") for role in ("researcher", "planner")]
        )
        for seed in (1, 2, 3):
            await _scored(store, 0, RunKind.BASELINE, seed, start, 3.4 + seed / 100)
        for number in range(1, experiments + 1):
            await _experiment(store, number, start, commit, ENDS[number % len(ENDS)])
        for _ in range(2):
            await store.add_experiment(
                Proposal("An idea that waits", "hope", "own"), author="researcher", team="offline"
            )
        running = await _ready(store, "The one that runs", start, commit)
        experiment = await store.experiment(running)
        assert experiment is not None
        run = await store.begin_run(experiment, RunKind.SCREEN, 1, Place("cpu0", "a core", "bubblewrap"), commit)
        await store.set_slot("cpu0", phase="training", progress=0.42, step=100, loss=2.5, utilisation=0.97)
    directory = lab.run_directory(run.id)
    directory.mkdir(parents=True)
    curve = [json.dumps({"step": n, "progress": n / 200, "seconds": n, "loss": 5 - n / 50}) for n in range(100)]
    (directory / "metrics.jsonl").write_text("\n".join(curve) + "\n")
    (directory / "log").write_bytes(b"\x1b[2J\x1b[31mhello from the run\x1b[0m\n" + b"line\n" * 50)
    lab.agents.mkdir(parents=True)
    lab.agent_log("researcher").write_text("12:00:00 === propose 3 experiments\n12:00:01 -> propose {...}\n")
    return lab


async def a_real_master(lab: Lab) -> str:
    """Let the lab's master be a commit that is there, with the program that labs begin with."""
    repository = Repository(lab.root)
    repository.commit_files({"train.py": TRAIN_PY.encode()}, "The real program")
    async with Writer(lab.database) as store:
        await store.adopt_master(repository.head(), 0, "the real program")
    return repository.head()


async def _ready(store: Writer, title: str, parent: str, commit: str) -> int:
    made = await store.add_experiment(
        Proposal(title, "because it may help", "arXiv:2104.09864", "rate"), author="researcher", team="offline"
    )
    await store.move(made.id, State.QUEUED, "planned")
    await store.move(made.id, State.PATCHING, "patching")
    branch = f"exp/{made.id}-rate"
    await store.move(made.id, State.READY, "approved", parent=parent, commit_id=commit, branch=branch)
    return made.id


async def _experiment(store: Writer, number: int, start: str, commit: str, end: State) -> None:
    made = await _ready(store, f"Idea number {number}", start, commit)
    if end is State.CRASHED:
        experiment = await store.experiment(made)
        assert experiment is not None
        run = await store.begin_run(experiment, RunKind.SCREEN, 1, Place("cpu0", "a core", "bubblewrap"), commit)
        await store.end_run(run.id, Measurement("crash", "train.py crashed: ValueError: no"))
        await store.move(made, State.CRASHED, "train.py crashed: ValueError: no")
        return
    await _scored(store, made, RunKind.SCREEN, 1, commit, 3.5 - number / 20)
    await store.move(made, State.SCORED, "scored")
    if end is State.DISCARDED:
        await store.move(made, State.DISCARDED, "does not beat the baseline")
        return
    await store.move(made, State.CONFIRMING, "beats the baseline")
    for seed in (2, 3):
        await _scored(store, made, RunKind.CONFIRM, seed, commit, 3.5 - number / 20 + seed / 1000)
    if end is State.PROMOTED:
        await store.promote(made, f"{number:040d}", "a real gain")
    else:
        await store.move(made, State.NOT_CONFIRMED, "within noise")


async def _scored(store: Writer, number: int, kind: RunKind, seed: int, commit: str, score: float) -> None:
    experiment = await store.experiment(number)
    assert experiment is not None
    run = await store.begin_run(experiment, kind, seed, Place("cpu0", "a core", "bubblewrap"), commit)
    await store.end_run(run.id, Measurement("scored", f"scored {score:.4f}", score, steps=100))
