"""Every attack is refused for its reason, and every honest patch gets a score: real diffs, a real lab, real runs."""

from __future__ import annotations

import difflib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attacks import ATTACKS, Attack, Edit
from conftest import autolab, set_key
from honest import HONEST

Result = dict[str, Any]


def diff_of(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), "a/train.py", "b/train.py")
    return "".join(lines)


def run_all(lab: Path, edits: dict[str, Edit], cache: Path) -> dict[str, Result]:
    """Add every patch with `autolab add`, run them all, and return their results by title."""
    source = (lab / "train.py").read_text()
    patch = lab.parent / "one.diff"
    for title, edit in edits.items():
        after = edit(source).replace("CACHE", str(cache)).replace("LAB", str(lab))
        patch.write_text(diff_of(source, after))
        added = autolab("add", str(lab), "--title", title, "--hypothesis", "it scores better", "--patch", str(patch))
        assert added.returncode == 0, f"{title}: {added.stderr}"
    waiting = shown(lab, "queue")
    begun = autolab("run", str(lab), "--experiments", str(len(waiting)), timeout=900)
    assert begun.returncode == 0, begun.stderr
    return {result["title"]: result for result in shown(lab, "results")}


def shown(lab: Path, verb: str, *words: str) -> Any:
    return json.loads(autolab(verb, *words, str(lab), "--json").stdout)


@pytest.fixture(scope="module")
def make_lab(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Iterator[Callable[[str], Path]]:
    made: list[Path] = []

    def make(name: str) -> Path:
        lab = tmp_path_factory.mktemp(name) / "lab"
        assert autolab("init", str(lab), "--profile", "cpu").returncode == 0
        set_key(lab, "budget_seconds", "1")
        made.append(lab)
        return lab

    yield make
    for lab in made:
        autolab("stop", "--now", str(lab))
        shutil.rmtree(lab, ignore_errors=True)


@pytest.fixture(scope="module")
def attacked(make_lab: Callable[[str], Path], corpus: Path) -> dict[str, Result]:
    return run_all(make_lab("attacked"), {attack.title: attack.edit for attack in ATTACKS}, corpus.parent)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.title)
def test_the_attack_is_refused_for_what_it_does(attacked: dict[str, Result], attack: Attack) -> None:
    result = attacked[attack.title]
    assert result["state"] in ("rejected", "invalid", "crashed", "killed"), result
    assert result["val_bpb"] is None
    assert re.search(attack.refused, result["reason"]), result["reason"]


@pytest.fixture(scope="module")
def unusual(make_lab: Callable[[str], Path], corpus: Path) -> dict[str, Result]:
    return run_all(make_lab("unusual"), HONEST, corpus.parent)


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("title", HONEST)
def test_the_honest_patch_gets_its_score(unusual: dict[str, Result], title: str) -> None:
    result = unusual[title]
    assert result["val_bpb"] is not None and result["val_bpb"] > 2, result
    assert all(run["val_bpb"] is not None for run in result["runs"])


def test_there_are_at_least_two_attacks_for_every_clause() -> None:
    clauses = [attack.clause for attack in ATTACKS]
    assert len(ATTACKS) >= 20 and len(HONEST) >= 10
    assert all(clauses.count(clause) >= 2 for clause in set(clauses)) and len(set(clauses)) == 4
