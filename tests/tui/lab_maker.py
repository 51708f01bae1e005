"""A realistic lab to look at: forty experiments over an afternoon, runs under way, agents in the middle of a sentence.

`python tests/tui/lab_maker.py DIRECTORY [--experiments N]` makes one; no daemon, no training, no network.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.branches import Repository
from orchestrator.lab import Lab
from orchestrator.settings_text import settings_text
from orchestrator.store.agents import StoredCall
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer

MODEL = "offline, rule-based, no language model"
NOISE = 0.011
TRAIN_PY = (Path(__file__).parents[2] / "nanogpt" / "train.py").read_text()


@dataclass(frozen=True)
class Idea:
    title: str
    source: str
    effect: float  # bits per byte on top of master; None of it is real
    edit: tuple[str, str] = ("LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3")


IDEAS = (
    Idea(
        "Rotary position embedding", "arXiv:2104.09864 RoFormer", -0.27, ("BETA2 = 0.95", "BETA2 = 0.95\nROTARY = True")
    ),
    Idea("RMSNorm instead of LayerNorm", "arXiv:1910.07467", 0.004),
    Idea("ReLU squared in the MLP", "arXiv:2109.08668 Primer", -0.09, ("F.gelu(x)", "F.relu(x).square()")),
    Idea("No weight decay on embeddings", "nanoGPT", 0.002),
    Idea("Muon for the matrices", "kellerjordan.github.io/posts/muon", -0.21, ("WEIGHT_DECAY = 0.1", "MUON = True")),
    Idea("QK-norm", "arXiv:2302.05442", 0.003),
    Idea("Depth 4 instead of 2", "own reading of the results", 0.24, ("cpu=2, gpu=8", "cpu=4, gpu=12")),
    Idea("Learning rate 4e-3 with warm-up over the first tenth of the budget", "tuner: TPE, trial 7", -0.05),
    Idea("Sequence 64", "arXiv:2108.06084 curriculum", 0.01, ("cpu=128", "cpu=64")),
    Idea("Cosine decay to a tenth", "arXiv:1608.03983", -0.03),
    Idea("Tied embeddings", "arXiv:1608.05859", 0.02),
    Idea("Logit soft-capping at 30", "arXiv:2408.00118 Gemma 2", 0.001),
)

AGENTS = (
    ("researcher", "researcher", "thinking", "propose 3 experiments", None),
    ("planner", "planner", "idle", "last: order the queue", None),
    ("worker-1", "worker", "calling", "patch experiment {0}: Rotary base 10000 to 1000", 0),
    ("worker-2", "worker", "waiting", "next try in 20 s: the model's server does not answer", None),
    ("reviewer", "reviewer", "thinking", "review experiment {1}", 1),
    ("reporter", "reporter", "idle", "last: report after wave 6", None),
)


async def make_lab(root: Path, experiments: int = 40, *, waiting: int = 6) -> Lab:
    """Write the lab; it looks as if it had worked for three hours and stands in the middle of two runs."""
    chance = random.Random(4)
    root.mkdir(parents=True)
    lab = Lab(root)
    files = {"train.py": TRAIN_PY.encode(), "autolab.toml": settings_text("cpu", 15).encode()}
    repository = Repository.create(root, files, "Start", ["runs.db*", ".autolab/"])
    start = repository.head()
    commits = [_commit(lab, repository, start, idea) for idea in IDEAS[: min(len(IDEAS), experiments)]]
    async with Writer(lab.database) as store:
        await store.set_meta("profile", "cpu")
        await store.add_start(start, "start", "the starting point of this lab")
        await store.set_slots([("cpu0", "CPU core"), ("cpu1", "CPU core")])
        await store.set_agents([(name, role, "offline", MODEL) for name, role, *_ in AGENTS])
        for seed in (1, 2, 3):
            await _measure(lab, store, 0, RunKind.BASELINE, seed, start, 3.333 + chance.gauss(0, NOISE))
        level, parent = 3.333, start
        for number in range(experiments):
            idea = IDEAS[number % len(IDEAS)]
            commit = commits[number] if number < len(commits) else f"{number:0>40x}"  # only the first are in git
            effect = idea.effect if number < len(IDEAS) else chance.gauss(0.02, 0.03)
            made = await _ready(store, idea, parent, commit, number)
            level, parent = await _outcome(lab, store, made, number, commit, parent, level, effect, chance)
        underway = [await _ready(store, idea, parent, commits[i], i) for i, idea in enumerate(IDEAS[7:9])]
        for slot, (made, share) in enumerate(zip(underway, (0.62, 0.11), strict=True)):
            await _run(lab, store, made, f"cpu{slot}", commits[slot], share)
        queued = await _wait(store, waiting, parent, commits[0])
        for name, _, state, job, of in AGENTS:
            named = job.format(*queued) if queued else job
            await store.set_agent(
                name, state, named, queued[of] if of is not None and queued else None, tokens_in=52_000
            )
        await _spread_over_hours(store, 3.0)
        await talk(store)
    _write_journals(lab)
    return lab


def _commit(lab: Lab, repository: Repository, start: str, idea: Idea) -> str:
    tree = lab.worktrees / "w"
    repository.checkout_commit(tree, start)
    (tree / "train.py").write_text(TRAIN_PY.replace(*idea.edit, 1))
    commit = repository.commit(tree, idea.title, "Because it may help.", {"Parent": start}, "worker-1")
    repository.set_branch(f"exp/{IDEAS.index(idea) + 1}-{idea.title.split()[0].lower()}", commit)
    return commit


async def _ready(store: Writer, idea: Idea, parent: str, commit: str, number: int) -> int:
    again = "" if number < len(IDEAS) else f", variant {number // len(IDEAS) + 1}"
    proposal = Proposal(
        idea.title + again,
        f"{idea.title} lowers the validation loss because the budget is short and the start is plain.",
        idea.source,
        idea.title.split()[0],
        f"Replace {idea.edit[0]!r} by {idea.edit[1]!r}.",
    )
    made = await store.add_experiment(proposal, author="researcher", team="offline")
    await store.move(made.id, State.QUEUED, "planned: a cited idea, not tried yet", actor="planner")
    await store.move(made.id, State.PATCHING, "worker-1 writes the patch", actor="worker-1")
    changes = {"parent": parent, "commit_id": commit, "branch": f"exp/{made.id}-x", "role_model": MODEL}
    await store.move(made.id, State.READY, "approved: one change, no duplicate", actor="reviewer", **changes)
    return made.id


async def _outcome(
    lab: Lab,
    store: Writer,
    made: int,
    number: int,
    commit: str,
    parent: str,
    level: float,
    effect: float,
    chance: random.Random,
) -> tuple[float, str]:
    """Run the experiment to its end; returns master's level and commit after it."""
    if number % 13 == 8:
        reason = "train.py crashed: RuntimeError: mat1 and mat2 shapes cannot be multiplied (2048x64 and 128x64)"
        await _fail(store, made, commit, State.CRASHED, reason)
        return level, parent
    if number % 17 == 10:
        await _fail(store, made, commit, State.KILLED, "killed by ada@box")
        return level, parent
    scores = [level + effect + chance.gauss(0, NOISE) for _ in range(3)]
    await _measure(lab, store, made, RunKind.SCREEN, 1, commit, scores[0])
    await store.move(made, State.SCORED, f"scored {scores[0]:.4f}")
    if scores[0] > level - NOISE:
        await store.move(made, State.DISCARDED, f"{scores[0]:.4f} does not beat the baseline's {level:.4f}")
        return level, parent
    await store.move(made, State.CONFIRMING, "beats the baseline; two more seeds")
    for seed in (2, 3):
        await _measure(lab, store, made, RunKind.CONFIRM, seed, commit, scores[seed - 1])
    mean = sum(scores) / 3
    if mean < level - 2 * NOISE * math.sqrt(2 / 3):
        master = f"{number + 1:040x}"
        await store.promote(made, master, f"mean {mean:.4f} beats {level:.4f} by more than two standard errors")
        return mean, master
    await store.move(made, State.NOT_CONFIRMED, f"mean {mean:.4f} is within two standard errors of {level:.4f}")
    return level, parent


async def _fail(store: Writer, made: int, commit: str, state: State, reason: str) -> None:
    experiment = await store.experiment(made)
    assert experiment is not None
    run = await store.begin_run(experiment, RunKind.SCREEN, 1, Place("cpu0", "a core", "bubblewrap"), commit)
    await store.end_run(run.id, Measurement("crash" if state is State.CRASHED else "killed", reason))
    await store.move(made, state, reason)


async def _measure(lab: Lab, store: Writer, made: int, kind: RunKind, seed: int, commit: str, score: float) -> None:
    experiment = await store.experiment(made)
    assert experiment is not None
    run = await store.begin_run(experiment, kind, seed, Place("cpu0", "a core", "bubblewrap"), commit)
    measured = Measurement("scored", f"scored {score:.4f}", score, 2.1, 15.0, 1.4, 412, 153_000, 300 * 2**20)
    await store.end_run(run.id, measured)
    _write_curve(lab, run.id, 1.0, score)


async def _run(lab: Lab, store: Writer, made: int, slot: str, commit: str, share: float) -> None:
    experiment = await store.experiment(made)
    assert experiment is not None
    run = await store.begin_run(experiment, RunKind.SCREEN, 1, Place(slot, "a core", "bubblewrap"), commit)
    loss = _write_curve(lab, run.id, share, 2.6)
    readings = {"utilisation": 0.97, "memory_used": 310 * 2**20, "memory_total": 8 * 2**30}
    await store.set_slot(slot, phase="training", progress=share, step=int(412 * share), loss=loss, **readings)
    lines = [f"step {n:>4}  loss {_loss(n / 412, 2.6):.4f}  tokens/s 41203" for n in range(int(412 * share))]
    noise = "\x1b[2J\x1b]0;owned\x07\x1b[31mnanoGPT, 0.15 M parameters, seed 1\x1b[0m"
    (lab.run_directory(run.id) / "log").write_text("\n".join([noise, *lines]) + "\n")


def _loss(share: float, end: float) -> float:
    return end + 3.0 * math.exp(-6 * share) + 0.03 * math.sin(97 * share)


def _write_curve(lab: Lab, run_id: int, share: float, end: float) -> float:
    directory = lab.run_directory(run_id)
    directory.mkdir(parents=True)
    lines, loss = [json.dumps({"event": "start"})], 0.0
    for step in range(int(412 * share)):
        loss = _loss(step / 412, end)
        lines.append(json.dumps({"step": step, "progress": step / 412, "seconds": step / 27, "loss": loss}))
    (directory / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    return loss


async def _wait(store: Writer, count: int, parent: str, commit: str) -> list[int]:
    """What waits for a run, in each of the waiting states."""
    made = []
    for number in range(count):
        idea = IDEAS[number % len(IDEAS)]
        proposal = Proposal(f"{idea.title}, wider", "wider helps", idea.source, "WIDTH", "WIDTH = 96")
        waits = await store.add_experiment(
            proposal, author="researcher", team="offline", priority=10 * (count - number)
        )
        made.append(waits.id)
        if number < count - 2:
            await store.move(waits.id, State.QUEUED, "planned: follows up a win", actor="planner")
        if number < count - 3:
            await store.move(waits.id, State.PATCHING, "worker-1 writes the patch", actor="worker-1")
        if number < count - 4:
            changes = {"parent": parent, "commit_id": commit, "branch": f"exp/{waits.id}-wider"}
            await store.move(waits.id, State.READY, "approved: one change, no duplicate", actor="reviewer", **changes)
    return made


async def _spread_over_hours(store: Writer, hours: float) -> None:
    """Everything was written within a second; make it look like an afternoon's work."""
    now = datetime.now(UTC)

    def stamp(share: float) -> str:
        at = now - timedelta(hours=hours * (1 - share))
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    ended = [row["id"] for row in await store.rows("SELECT id FROM runs WHERE outcome IS NOT NULL ORDER BY id")]
    for place, run_id in enumerate(ended):
        begin, end = stamp(place / len(ended)), stamp((place + 0.9) / len(ended))
        await store.connection.execute(
            "UPDATE runs SET started_at = ?, ended_at = ? WHERE id = ?", (begin, end, run_id)
        )


async def talk(store: Writer, turns: int = 60) -> None:
    """Turns of the team, as models take them, and the papers that were looked up."""
    chance = random.Random(5)
    for number in range(turns):
        name, role = AGENTS[number % len(AGENTS)][:2]
        idea = IDEAS[number % len(IDEAS)]
        experiment = 1 + number % len(IDEAS) if role in ("worker", "reviewer") else None
        outcome = "refused" if number % 7 == 3 else "no call" if number % 11 == 5 else "went on"
        calls = _calls(role, idea) if outcome != "no call" else []
        await store.add_call(
            StoredCall(
                *(name, role, f"{role}: {idea.title}", experiment, MODEL, "0" * 64),
                f"The baseline stands at 2.6934. {idea.title} is cited and has not been tried; it changes one thing.",
                json.dumps(calls),
                *(4_000 + 37 * number, 120 + number, 0, round(chance.random() / 40, 5), 1 + 4 * chance.random(), 0.4),
                *("tool_calls", outcome, json.dumps(["refused"] if outcome == "refused" else [])),
            )
        )
    abstract = "We study one change to the transformer and measure what it brings at a fixed budget. " * 6
    papers = [
        ("2104.09864", "RoFormer: Enhanced Transformer with Rotary Position Embedding", abstract, "2021-04-20"),
        ("2109.08668", "Primer: Searching for Efficient Transformers for Language Modeling", abstract, "2021-09-17"),
        ("2405.18392", "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations", abstract, ""),
    ]
    await store.keep_papers(papers)
    findings = "Experiment 1 won clearly: position is worth most.\nExperiments 2 and 6 show that norms bring nothing."
    await store.add_note("findings", "reviewer", findings)


def _calls(role: str, idea: Idea) -> list[list[str]]:
    match role:
        case "worker":
            edit = {"path": "train.py", "old": idea.edit[0], "new": idea.edit[1]}
            return [["edit_file", json.dumps(edit)], ["submit_patch", json.dumps({"summary": "one line"})]]
        case "reviewer":
            return [["approve", json.dumps({"reason": "one change, not tried before"})]]
        case _:
            said = {"title": "Linear warmdown over the last fifth", "source": "arXiv:2405.18392"}
            return [["list_experiments", json.dumps({"limit": 50})], ["propose", json.dumps(said)]]


def _write_journals(lab: Lab) -> None:
    lab.agents.mkdir(parents=True)
    for name, role, *_ in AGENTS:
        lab.agent_log(name).write_text("\n".join(_journal(name, role)) + "\n")


def _journal(name: str, role: str) -> Sequence[str]:
    at = datetime.now(UTC) - timedelta(minutes=12)
    said = [
        f"=== {role} takes up the next job",
        '-> list_experiments {"limit": 50}',
        '<- {"baseline": {"commit": "1f0c2d9", "val_bpb": 2.6934, "noise": 0.011, "runs": 3}, "experi',
        "The baseline stands at 2.6934 with a noise of 0.011.",
        "Position and optimiser gave the large gains; normalisation gave nothing that stands above the noise.",
        "What is left: the schedule. A linear warmdown over the last fifth is cited and has not been tried.",
        '-> propose {"title": "Linear warmdown over the last fifth", "source": "arXiv:2405.18392"}',
        "<- proposed as experiment 47",
        "-- 5,210 tokens in, 412 out",
    ]
    lines = []
    for turn in range(8):
        for line in said:
            at += timedelta(seconds=7 + len(name))
            lines.append(f"{at:%H:%M:%S} {line}" if turn or line != said[0] else f"{at:%H:%M:%S} === {name}: hello")
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--experiments", type=int, default=40)
    chosen = parser.parse_args()
    asyncio.run(make_lab(chosen.directory, chosen.experiments))
