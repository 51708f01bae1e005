"""Taking a win out of master again: measured first, merged by decision; an ablation is only measured."""

from __future__ import annotations

import difflib
import json
import subprocess
from pathlib import Path

from conftest import autolab


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout


def results(root: Path) -> dict[int, dict[str, object]]:
    return {entry["id"]: entry for entry in json.loads(autolab("results", str(root), "--json").stdout)}


def merge_own(root: Path, old: str, new: str) -> int:
    """A person's own patch, measured and merged into master, by decision where it did not win."""
    before = git(root, "show", "master:train.py")
    after = before.replace(old, new)
    assert after != before
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), "a/train.py", "b/train.py")
    patch = root.parent / "own.diff"
    patch.write_text("".join(lines))
    words = ("--title", f"Set {new}", "--hypothesis", "It may help.", "--patch", str(patch), "--json")
    number = int(json.loads(autolab("add", str(root), *words).stdout)["id"])
    measure(root)
    if results(root)[number]["state"] != "promoted":
        promoted = autolab("promote", str(number), str(root))
        assert promoted.returncode == 0, promoted.stderr
    return number


def measure(root: Path) -> None:
    run = autolab("run", str(root), "--experiments", "1", timeout=280)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_revert_is_measured_and_then_merged_by_decision(lab: Path) -> None:
    start = git(lab, "show", "master:train.py")
    first = merge_own(lab, "WEIGHT_DECAY = 0.1", "WEIGHT_DECAY = 0.05")
    assert git(lab, "show", "master:train.py") != start

    asked = autolab("revert", str(first), str(lab))
    assert asked.returncode == 0, asked.stderr
    assert "as soon as it is measured" in asked.stdout
    again = autolab("revert", str(first), str(lab))
    assert again.returncode == 1 and "does that already" in again.stderr
    waiting = json.loads(autolab("queue", str(lab), "--json").stdout)
    number = next(entry["id"] for entry in waiting if entry["title"].startswith(f"Revert experiment {first}"))
    measure(lab)

    entry = results(lab)[number]
    assert entry["state"] == "promoted" and entry["val_bpb"] is not None
    assert git(lab, "show", "master:train.py") == start
    assert f"Revert experiment {first}" in git(lab, "log", "-1", "--format=%B", "master")
    assert git(lab, "rev-parse", "master^{tree}") == git(lab, "rev-parse", f"{entry['commit']}^{{tree}}")

    gone = autolab("ablate", str(first), str(lab))
    assert gone.returncode == 1 and "nothing of experiment" in gone.stderr
    never = autolab("revert", "0", str(lab))
    assert never.returncode == 1 and "starting point" in never.stderr
