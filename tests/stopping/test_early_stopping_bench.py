"""The bench on a lab as it lies on disk."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.store.migrations import MIGRATIONS
from tests.stopping.curves_made import curve

ROOT = Path(__file__).parent.parent.parent
BENCH = ROOT / "bench" / "early_stopping.py"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A start with three runs and sixty screens of it, half of them hopeless."""
    lab = tmp_path_factory.mktemp("lab")
    with closing(sqlite3.connect(lab / "runs.db")) as connection:
        for step in MIGRATIONS:
            connection.executescript(step)
        add(connection, "experiments", id=0, state="promoted", commit_id="start")
        add(connection, "masters", commit_id="start", experiment_id=0, at="")
        for seed in (1, 2, 3):
            add_run(connection, lab, seed, 0, "baseline", "start", None, 0.0)
        for number in range(4, 64):
            delta = 0.5 if number % 2 else random.Random(number).gauss(0, 0.03)
            add(connection, "experiments", id=number, state="discarded", commit_id=f"c{number}", parent="start")
            add_run(connection, lab, number, number, "screen", f"c{number}", "start", delta)
        connection.commit()
    return lab


def add(connection: sqlite3.Connection, table: str, **values: object) -> None:
    """A row with what is given, and an empty text or a zero wherever the schema asks for something."""
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    row = {name: "" if kind == "TEXT" else 0 for _, name, kind, needed, default, _ in columns if needed and not default}
    row.update(values)  # type: ignore[arg-type]
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def add_run(
    connection: sqlite3.Connection,
    lab: Path,
    run_id: int,
    experiment: int,
    kind: str,
    commit: str,
    parent: str | None,
    delta: float,
) -> None:
    facts = {"id": run_id, "experiment_id": experiment, "kind": kind, "commit_id": commit, "parent": parent}
    add(connection, "runs", **facts, outcome="scored", val_bpb=3.4 + delta, training_seconds=15.0, seed=1)
    directory = lab / ".autolab" / "runs" / str(run_id)
    directory.mkdir(parents=True)
    made = curve(run_id, delta)
    points = [{"progress": p, "loss": loss} for p, loss in zip(made.progress, made.loss, strict=True)]
    (directory / "metrics.jsonl").write_text("\n".join(json.dumps(point) for point in points), encoding="utf-8")


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(BENCH), *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_the_bench_replays_a_lab_in_which_the_rule_saves_a_third_of_what_it_could_within_its_limit(lab: Path) -> None:
    shown = bench(str(lab), "--orders", "3")
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith("63 scored runs of 1 labs, 60 of them screens")
    rows = {line[:18].strip(): line[18:].split() for line in shown.stdout.splitlines()[2:]}
    saved, most = (float(rows[name][0].rstrip("%")) for name in ("audited rule", "all-knowing"))
    assert most / 3 < saved < most
    assert float(rows["audited rule"][4].rstrip("%")) <= 5


def test_the_bench_says_what_to_give_when_it_gets_no_lab(tmp_path: Path) -> None:
    refused = bench(str(tmp_path))
    assert refused.returncode == 2
    assert refused.stderr == f"{tmp_path} has no runs.db: give the directory of a lab\n"
