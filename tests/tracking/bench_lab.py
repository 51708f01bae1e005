"""What tests of tracking share: a lab that is only a store, and a look into a Trackio project's database."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from orchestrator.context import Context
from orchestrator.lab import Lab
from orchestrator.settings import AlertsSection, read_settings
from orchestrator.settings_text import settings_text
from orchestrator.store.records import Run, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer

PLACE = Place("cpu0", "a core", "bubblewrap")
START = "a" * 40


@asynccontextmanager
async def bare_lab(root: Path, alerts: AlertsSection | None = None) -> AsyncIterator[Context]:
    """A store with its start, without repository, daemon or data: all that tracking looks at."""
    lab = Lab(root)
    lab.hidden.mkdir(parents=True, exist_ok=True)
    lab.settings_file.write_text(settings_text("cpu", 15))
    settings = read_settings(lab.settings_file).model_copy(update={"alerts": alerts or AlertsSection()})
    async with Writer(lab.database) as store:
        if await store.experiment(0) is None:
            await store.add_start(START, "start", "made for a test")
            await store.set_slots([("cpu0", "a core")])
        yield cast(Context, SimpleNamespace(lab=lab, settings=settings, store=store))


async def ended_run(context: Context, score: float | None, title: str = "An idea", points: int = 3) -> Run:
    """An experiment with one run that logged a few points and ended."""
    store = context.store
    made = await store.add_experiment(
        Proposal(title, "It may help.", "a test"), author="a test", team="none", state=State.QUEUED
    )
    commit = f"{made.id:040x}"
    ready = await store.move(made.id, State.READY, "ready", commit_id=commit, parent=START, program=commit)
    run = await store.begin_run(ready, RunKind.SCREEN, 1, PLACE, commit)
    directory = context.lab.run_directory(run.id)
    directory.mkdir(parents=True)
    lines = [{"step": n, "loss": 5.0 - n / 10, "seconds": n / 10, "time": 7} for n in range(points)]
    (directory / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 3, "los')
    outcome = "scored" if score is not None else "crash"
    ended = await store.end_run(run.id, Measurement(outcome, "it ended", score, training_seconds=1.0, steps=points))
    for state in (State.SCORED, State.DISCARDED) if score is not None else (State.CRASHED,):
        await store.move(made.id, state, "it ended")
    return ended


def rows_in(root: Path, table: str, run_id: str) -> list[dict[str, Any]]:
    """The rows of a run in the one project of the lab, in the order of their steps."""
    (path,) = (root / ".autolab" / "trackio").glob("*.db")
    with sqlite3.connect(path) as plain:
        plain.row_factory = sqlite3.Row
        found = plain.execute(f"SELECT * FROM {table} WHERE run_id = ? ORDER BY step, id", (run_id,)).fetchall()
    plain.close()
    return [dict(row) for row in found]
