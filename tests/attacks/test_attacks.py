"""Every attack is refused for its reason, and every honest patch gets a score: real diffs, a real lab, real runs."""

from __future__ import annotations

import asyncio
import difflib
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.measurement.measuring import Measuring
from orchestrator.store.records import Run
from orchestrator.store.states import State
from tests.attacks.attacks import ATTACKS as PLAIN
from tests.attacks.attacks import Attack, Edit
from tests.attacks.honest import HONEST
from tests.attacks.subtle import SUBTLE
from tests.command_line import autolab
from tests.conftest import record_baseline, set_key

Result = dict[str, Any]

ATTACKS = [*PLAIN, *SUBTLE]
FEW_HONEST = 10
"""So many honest patches run each time; the rest, and the subtle attacks, with --exhaustive."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    whole = metafunc.config.getoption("--exhaustive")
    if "attack" in metafunc.fixturenames:
        metafunc.parametrize("attack", ATTACKS if whole else PLAIN, ids=lambda attack: attack.title)
    if "title" in metafunc.fixturenames:
        metafunc.parametrize("title", list(HONEST) if whole else list(HONEST)[:FEW_HONEST])


def diff_of(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(True), after.splitlines(True), "a/train.py", "b/train.py")
    return "".join(lines)


def add_all(lab: Path, edits: dict[str, Edit], cache: Path) -> None:
    """Add every patch with `autolab add`, as a person would."""
    source = (lab / "train.py").read_text()
    patch = lab.parent / "one.diff"
    for title, edit in edits.items():
        after = edit(source).replace("CACHE", str(cache)).replace("LAB", str(lab))
        patch.write_text(diff_of(source, after))
        added = autolab("add", str(lab), "--title", title, "--hypothesis", "it scores better", "--patch", str(patch))
        assert added.returncode == 0, f"{title}: {added.stderr}"


def run_all(lab: Path) -> dict[str, Result]:
    """Run all that waits to its outcome; results by title."""
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
def attacked(make_lab: Callable[[str], Path], corpus: Path, request: pytest.FixtureRequest) -> dict[str, Result]:
    lab = make_lab("attacked")
    whole = request.config.getoption("--exhaustive")
    chosen = ATTACKS if whole else PLAIN
    if not whole:  # none of the plain ones is measured against what a baseline takes or scores
        asyncio.run(record_baseline(Lab(lab)))
    add_all(lab, {attack.title: attack.edit for attack in chosen}, corpus.parent)
    return run_all(lab)


@pytest.mark.timeout(1200)
def test_the_attack_is_refused_for_what_it_does(attacked: dict[str, Result], attack: Attack) -> None:
    result = attacked[attack.title]
    assert result["state"] in ("rejected", "invalid", "crashed", "killed"), result
    assert result["val_bpb"] is None
    assert re.search(attack.refused, result["reason"]), result["reason"]


async def measure_all(lab: Path, patience: float = 900.0) -> dict[str, Run]:
    """One run of each, without anybody who judges: a promotion in between would change what the others stand on."""
    async with opened(Lab(lab)) as context:
        measuring, deadline = Measuring(context), time.monotonic() + patience
        while await context.store.in_states([State.READY]) or await context.store.runs_underway():
            await measuring.collect()
            await measuring.launch()
            await asyncio.sleep(0.2)
            assert time.monotonic() < deadline
        found = await context.store.in_states([State.RUNNING])
        return {one.title: (await context.store.runs_of(one.id))[-1] for one in found}


@pytest.fixture(scope="module")
def unusual(make_lab: Callable[[str], Path], corpus: Path, request: pytest.FixtureRequest) -> dict[str, Run]:
    lab = make_lab("unusual")
    set_key(lab, "grace_seconds", "2")  # beside other tests the first step of some takes longer than the budget
    few = None if request.config.getoption("--exhaustive") else FEW_HONEST
    add_all(lab, dict(list(HONEST.items())[:few]), corpus.parent)
    asyncio.run(record_baseline(Lab(lab)))
    return asyncio.run(measure_all(lab))


@pytest.mark.timeout(1200)
def test_the_honest_patch_gets_its_score(unusual: dict[str, Run], title: str) -> None:
    run = unusual[title]
    assert run.val_bpb is not None and run.val_bpb > 2, run.reason
    assert run.sandbox != "off" and run.provenance.keys() >= {"code", "fixed", "data", "weights", "torch", "device"}


def test_there_are_at_least_two_attacks_for_every_clause() -> None:
    clauses = [attack.clause for attack in PLAIN]
    assert len(PLAIN) >= 20 and len(HONEST) >= 10
    assert (
        all(clauses.count(clause) >= 2 for clause in {attack.clause for attack in ATTACKS}) and len(set(clauses)) == 4
    )
