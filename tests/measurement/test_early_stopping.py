"""Early stopping in a lab: real runs judged beside recorded ones, ended or finished for the audit, and counted."""

from __future__ import annotations

import asyncio
import difflib
import json
import math
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.measurement.pruning import Pruning
from orchestrator.runs import Running, local_executor
from orchestrator.runs.slots import device_kind
from orchestrator.store.records import Decision, Finished, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer
from tests.command_line import autolab
from tests.conftest import set_key

BUDGET = 6.0  # long enough for an order to arrive in time on a busy machine


def curve(offset: float, draw: random.Random) -> str:
    """As a run of this budget logs it, worse by `offset` throughout."""
    lines = []
    for step in range(1, 61):
        progress = step / 60
        loss = 5.55 + offset * progress - 1.6 * (1 - math.exp(-4 * progress)) + draw.gauss(0, 0.05)
        lines.append(json.dumps({"step": step, "progress": progress, "loss": loss}))
    return "\n".join(lines) + "\n"


async def record(lab: Lab, screens: int) -> None:
    """A past for the lab: its baseline and `screens` experiments, some better, some worse, with curves that agree."""
    draw = random.Random(7)
    place = Place("cpu0", device_kind(local_executor("cpu", 1).slots()[0]), "off")
    async with Writer(lab.database) as store:
        start = await store.experiment(0)
        assert start is not None
        for seed in (1, 2, 3):
            await _run(store, lab, start, RunKind.BASELINE, seed, place, 0.0, draw)
        for _ in range(screens):
            made = await store.add_experiment(
                Proposal("An idea", "It may help.", "a test"), author="a test", team="none", state=State.QUEUED
            )
            ready = await store.move(made.id, State.READY, "ready", commit_id=f"{made.id:040x}", parent=start.commit_id)
            await _run(store, lab, ready, RunKind.SCREEN, 1, place, draw.gauss(0.1, 0.2), draw)
            await store.move(made.id, State.SCORED, "scored")
            await store.move(made.id, State.DISCARDED, "no better")


async def _run(store, lab, experiment, kind, seed, place, offset, draw) -> None:  # type: ignore[no-untyped-def]
    run = await store.begin_run(experiment, kind, seed, place, experiment.commit_id)
    directory = lab.run_directory(run.id)
    directory.mkdir(parents=True)
    (directory / "metrics.jsonl").write_text(curve(offset, draw))
    score = 3.95 + offset + draw.gauss(0, 0.005)
    await store.end_run(run.id, Measurement("scored", "scored", score, training_seconds=BUDGET))


@pytest.fixture
def seasoned(lab: Path) -> Path:
    """A lab with thirty recorded screens, at a budget of six seconds."""
    set_key(lab, "budget_seconds", str(BUDGET))
    asyncio.run(record(Lab(lab), 30))
    return lab


def hopeless(lab: Path) -> Path:
    """A patch under which nothing is learnt at all."""
    before = (lab / "train.py").read_text()
    after = before.replace("LEARNING_RATE = 1e-3", "LEARNING_RATE = 1e-9")
    assert after != before
    patch = lab.parent / "hopeless.diff"
    patch.write_text(
        "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), "a/train.py", "b/train.py"))
    )
    return patch


def measured(lab: Path) -> dict[str, object]:
    """The hopeless experiment, run to its outcome."""
    words = ("--title", "Hardly learn", "--hypothesis", "A tiny rate is enough.", "--patch", str(hopeless(lab)))
    added = autolab("add", str(lab), *words, "--json")
    assert added.returncode == 0, added.stderr
    run = autolab("run", str(lab), "--experiments", "1", timeout=200)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(autolab("results", str(lab), "--json").stdout)
    return dict(next(entry for entry in found if entry["id"] == json.loads(added.stdout)["id"]))


def condemned(lab: Path) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(lab / "runs.db")) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute("SELECT * FROM condemned").fetchall()


def test_a_hopeless_run_is_stopped_early_and_is_a_result_of_its_own_kind(seasoned: Path) -> None:
    set_key(seasoned, "audited", "0.000001")
    entry = measured(seasoned)
    assert entry["state"] == "pruned" and entry["val_bpb"] is None
    assert str(entry["reason"]).startswith("stopped early: at ") and "above the baseline's" in str(entry["reason"])
    (row,) = condemned(seasoned)
    assert row["audited"] == 0 and 0 < row["seconds_saved"] < BUDGET and row["share"] < 0.9
    kept = seasoned / ".autolab" / "runs" / str(row["run_id"])
    assert "loss" in (kept / "metrics.jsonl").read_text(), "its curve is kept"
    assert not list(kept.glob("weights*"))
    exported = autolab("export", "--format", "tsv", str(seasoned)).stdout.splitlines()[-1]
    assert exported.endswith("\tcrash\tHardly learn [pruned]") and "\t0.000000\t" in exported
    told = autolab("status", str(seasoned)).stdout
    assert "1 run condemned, 1 stopped" in told and "slot time saved" in told


HOPELESS = Proposal("Hopeless", "It may help.", "a test")


def looked_at(
    lab: Path, progress: float = 0.5, proposal: Proposal = HOPELESS, decision: Decision = Decision.NONE
) -> tuple[str, str]:
    """A running screen with a hopeless curve, looked at once: the slot's verdict, and what its end is called."""

    async def play() -> tuple[str, str]:
        async with opened(Lab(lab)) as context:
            store, draw = context.store, random.Random(3)
            start = await store.experiment(0)
            assert start is not None
            made = await store.add_experiment(
                proposal, author="a test", team="none", state=State.QUEUED, decision=decision
            )
            ready = await store.move(made.id, State.READY, "ready", commit_id="e" * 40, parent=start.commit_id)
            slot = context.executor.slots()[0]
            await store.set_slots([(slot.name, slot.device)])
            run = await store.begin_run(ready, RunKind.SCREEN, 1, Place(slot.name, device_kind(slot), "off"), "e" * 40)
            context.lab.run_directory(run.id).mkdir(parents=True)
            points = [line for line in curve(3.0, draw).splitlines() if json.loads(line)["progress"] <= progress]
            (context.lab.run_directory(run.id) / "metrics.jsonl").write_text("\n".join(points) + "\n")
            pruning = Pruning(context)
            await pruning.look(run, Running("training", progress=progress))
            verdict = (await store.slots())[0].verdict
            ended = await pruning.outcome(run, Measurement("killed", "killed", training_seconds=progress * BUDGET))
            await store.end_run(run.id, ended)
            await pruning.keep_account(run.ground)
            return verdict, ended.outcome

    return asyncio.run(play())


def test_a_condemned_run_that_is_drawn_for_the_audit_is_not_stopped_and_is_counted(seasoned: Path) -> None:
    set_key(seasoned, "audited", "1")
    verdict, outcome = looked_at(seasoned)
    assert verdict.startswith("audited: +") and outcome == "killed", "whoever killed it, it was not early stopping"
    (row,) = condemned(seasoned)
    assert row["audited"] == 1 and row["seconds_saved"] == 0 and "drawn for the audit" in row["reason"]
    assert "1 run condemned, 0 stopped" in autolab("status", str(seasoned)).stdout


def test_while_the_rule_is_suspended_what_it_condemns_is_finished_and_counted_with_the_audited(seasoned: Path) -> None:
    set_key(seasoned, "audited", "0.000001")
    with closing(sqlite3.connect(seasoned / "runs.db")) as connection, connection:
        connection.execute(
            "INSERT INTO condemned (run_id, at, share, audited, reason) SELECT id, '', 0.5, ?, 'a test' FROM runs"
            " WHERE kind = 'screen' AND val_bpb < 3.9 LIMIT 3",
            (Finished.SPARED,),
        )
    verdict, outcome = looked_at(seasoned)
    assert verdict.startswith("spared: +") and outcome == "killed"
    row = condemned(seasoned)[-1]
    assert row["audited"] == Finished.SPARED and "suspended: 3 of 3 audited runs came back" in row["reason"]
    told = autolab("status", str(seasoned)).stdout
    assert "4 runs condemned, 0 stopped" in told and "3 of 3 audited came back (100%" in told


@pytest.mark.parametrize(
    ("proposal", "decision"),
    [
        (HOPELESS, Decision.MERGE),
        (Proposal("Without 1", "Master without it.", "reversal of experiment 1", patch="a diff"), Decision.NONE),
    ],
)
def test_what_is_to_be_known_or_merged_whatever_it_scores_is_never_stopped(
    seasoned: Path, proposal: Proposal, decision: Decision
) -> None:
    set_key(seasoned, "audited", "0.000001")
    assert looked_at(seasoned)[1] == "pruned", "it would be stopped otherwise"
    assert looked_at(seasoned, proposal=proposal, decision=decision)[1] == "killed"


def test_nothing_is_condemned_when_it_is_turned_off(seasoned: Path) -> None:
    set_key(seasoned, "enabled", "false")
    assert looked_at(seasoned) == ("", "killed")
    assert not condemned(seasoned)


def test_what_it_saved_is_what_was_left_of_the_budget(seasoned: Path) -> None:
    set_key(seasoned, "audited", "0.000001")
    verdict, outcome = looked_at(seasoned)
    assert verdict.startswith("stopped: +") and outcome == "pruned"
    (row,) = condemned(seasoned)
    assert row["share"] == 0.5 and row["seconds_saved"] == pytest.approx(BUDGET / 2)
