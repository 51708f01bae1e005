"""The vault split: scored at promotions from the weights that are kept, shown to people, and never to agents."""

from __future__ import annotations

import difflib
import sqlite3
from contextlib import closing
from pathlib import Path

from conftest import autolab, set_key

from orchestrator.runs.identity import marked_processes


def patched(lab: Path, old: str, new: str) -> Path:
    before = (lab / "train.py").read_text()
    assert old in before
    after = before.replace(old, new)
    patch = lab.parent / "one.diff"
    patch.write_text(
        "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), "a/train.py", "b/train.py"))
    )
    return patch


def rows(lab: Path, sql: str) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(lab / "runs.db")) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(sql).fetchall()


def add_a_win(lab: Path) -> None:
    """A rate that learns far more within a second; the first better run is merged, so a win costs four runs."""
    set_key(lab, "rule", '"greedy"')
    set_key(lab, "smoke_run", '"off"')
    words = ("--title", "Five times the rate", "--hypothesis", "It learns faster.")
    patch = patched(lab, "LEARNING_RATE = 1e-3", "LEARNING_RATE = 5e-3")
    added = autolab("add", str(lab), *words, "--patch", str(patch))
    assert added.returncode == 0, added.stderr


def promoted(lab: Path) -> None:
    add_a_win(lab)
    run = autolab("run", str(lab), "--experiments", "1", timeout=280)
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_promotion_is_scored_on_the_vault_for_people_and_for_nobody_else(lab: Path) -> None:
    promoted(lab)
    scores = rows(lab, "SELECT v.*, r.experiment_id, r.val_bpb FROM vault_scores v JOIN runs r ON r.id = v.run_id")
    assert sorted(score["experiment_id"] for score in scores) == [0, 0, 0, 1]
    assert {score["state"] for score in scores} == {"scored"}
    assert all(score["bpb"] != score["val_bpb"] and abs(score["bpb"] - score["val_bpb"]) < 1 for score in scores)
    (verdict,) = rows(lab, "SELECT sentence FROM vault_verdicts")
    assert verdict["sentence"].startswith("the vault agrees")
    assert not list((lab / ".autolab" / "vault").glob("*")), "what the scorer printed is kept nowhere"
    assert not [score for score in scores if marked_processes(f"{lab}#vault-{score['run_id']}")]
