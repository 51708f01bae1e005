"""Taking a win out of master again: measured first, merged by decision; an ablation is only measured."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path

from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.measurement.judging import Judging
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal
from tests.command_line import autolab


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout


def results(root: Path) -> dict[int, dict[str, object]]:
    return {entry["id"]: entry for entry in json.loads(autolab("results", str(root), "--json").stdout)}


async def win(lab: Lab, old: str, new: str) -> int:
    """An experiment that master has taken, with the runs that measured it on record."""
    async with opened(lab) as context:
        store, repository = context.store, context.repository
        start = await store.experiment(0)
        assert start is not None and start.commit_id is not None
        made = await store.add_experiment(
            Proposal(f"Set {new}", "It helps.", "a test"), author="a test", team="none", state=State.QUEUED
        )
        tree = context.lab.worktrees / "win"
        repository.checkout_commit(tree, start.commit_id)
        text = (tree / "train.py").read_text()
        assert old in text
        (tree / "train.py").write_text(text.replace(old, new))
        commit = repository.commit(tree, made.title, made.hypothesis, {"Experiment": str(made.id)}, "worker-1")
        branch = repository.set_branch(repository.branch_name(made.id, 1, made.title), commit)
        ready = await store.move(made.id, State.READY, "ready", branch=branch, commit_id=commit, parent=start.commit_id)
        baseline = (await store.runs_of(0))[0]
        place = Place("cpu0", baseline.device, "off")
        for seed in (1, 2, 3):
            run = await store.begin_run(ready, RunKind.SCREEN if seed == 1 else RunKind.CONFIRM, seed, place, commit)
            await store.end_run(run.id, Measurement("scored", "on record", 0.9 + seed / 1000, training_seconds=1.0))
        await store.move(made.id, State.SCORED, "scored")
        won = await store.move(made.id, State.CONFIRMING, "again")
        await Judging(context).merge(won, "a real gain", "autolab")
        return made.id


def test_a_revert_is_measured_and_then_merged_by_decision(measured: Path) -> None:
    lab = measured
    start = git(lab, "show", "master:train.py")
    first = asyncio.run(win(Lab(lab), "WEIGHT_DECAY = 0.1", "WEIGHT_DECAY = 0.05"))
    assert git(lab, "show", "master:train.py") != start

    asked = autolab("revert", str(first), str(lab))
    assert asked.returncode == 0, asked.stderr
    assert "as soon as it is measured" in asked.stdout
    again = autolab("revert", str(first), str(lab))
    assert again.returncode == 1 and "does that already" in again.stderr
    waiting = json.loads(autolab("queue", str(lab), "--json").stdout)
    number = next(entry["id"] for entry in waiting if entry["title"].startswith(f"Revert experiment {first}"))
    run = autolab("run", str(lab), "--experiments", "1", timeout=280)
    assert run.returncode == 0, run.stdout + run.stderr

    entry = results(lab)[number]
    assert entry["state"] == "promoted" and isinstance(entry["val_bpb"], float) and isinstance(entry["delta"], float)
    before, now = entry["val_bpb"] - entry["delta"], entry["val_bpb"]
    assert str(entry["reason"]).endswith(f"measured as it stands: master goes from {before:.4f} to {now:.4f}")
    assert git(lab, "show", "master:train.py") == start
    assert f"Revert experiment {first}" in git(lab, "log", "-1", "--format=%B", "master")
    assert git(lab, "rev-parse", "master^{tree}") == git(lab, "rev-parse", f"{entry['commit']}^{{tree}}")

    gone = autolab("ablate", str(first), str(lab))
    assert gone.returncode == 1 and f"was taken out of master by experiment {number} already" in gone.stderr
    never = autolab("revert", "0", str(lab))
    assert never.returncode == 1 and "starting point" in never.stderr


def test_an_ablation_says_what_the_win_is_still_worth_and_is_no_idea_that_failed(measured: Path) -> None:
    lab = measured
    first = asyncio.run(win(Lab(lab), "WEIGHT_DECAY = 0.1", "WEIGHT_DECAY = 0.05"))
    asked = autolab("ablate", str(first), str(lab))
    assert asked.returncode == 0, asked.stderr
    number = int(asked.stdout.split()[1])
    [waiting] = json.loads(autolab("queue", str(lab), "--json").stdout)
    assert waiting["reason"].startswith(f"the change of experiment {first} taken out of master, as "), waiting
    assert waiting["reason"].endswith(" ordered; the guard let it pass")
    run = autolab("run", str(lab), "--experiments", "1", timeout=280)
    assert run.returncode == 0, run.stdout + run.stderr

    entry = results(lab)[number]
    assert entry["state"] == "discarded" and isinstance(entry["delta"], float) and entry["delta"] > 0.1
    said = rf"experiment {first} measures as worth \{entry['delta']:+.4f} ± 0\.\d{{4}}: master scores "
    assert re.match(said, str(entry["reason"]))
    reviewed = autolab("review", str(lab))
    assert f"worth {entry['delta']:+.4f} by now ({number})" in reviewed.stdout.replace("\n", " ")
    [left_out] = json.loads(autolab("review", str(lab), "--json").stdout)[0]["measured_without"]
    assert left_out == {"id": number, "state": "discarded", "worth": entry["delta"], "on": first}
    [end] = [line for line in autolab("events", str(lab)).stdout.splitlines() if "measures as worth" in line]
    assert "measured" in end and "discarded" not in end
    assert "1 measured" in autolab("morning", str(lab)).stdout
    notebook = git(lab, "show", "notebook:notebook.md")
    worth, rest = notebook.split("## What wins are still worth")[1].split("## Near misses")
    assert f"master without {first} ({number}): {entry['delta']:+.4f}" in worth
    assert "Without experiment" not in rest
