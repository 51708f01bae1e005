"""`autolab status` for people: what a lab has done is counted from its own life, and what is held back is named."""

from __future__ import annotations

import asyncio
from pathlib import Path

from orchestrator.lab import Lab
from orchestrator.store.records import RunKind
from orchestrator.store.writer import Measurement, Place, Writer
from tests.command_line import autolab
from tests.tui.room_lab import make_empty_lab


def test_a_lab_without_a_score_counts_no_promotion_and_tells_of_its_own_minutes(tmp_path: Path) -> None:
    async def make() -> Lab:
        lab = await make_empty_lab(tmp_path / "lab")
        async with Writer(lab.database) as store:
            await store.set_slots([("cpu0", "CPU core")])
            await store.set_agents(
                [("researcher", "researcher", "offline", "m"), ("planner", "planner", "offline", "m")]
            )
            await store.pause_agent("planner", "ada@box", pause=True)
        return lab

    async def run(lab: Lab) -> None:
        async with Writer(lab.database) as store:
            start = await store.experiment(0)
            assert start is not None and start.commit_id is not None
            one = await store.begin_run(start, RunKind.BASELINE, 1, Place("cpu0", "CPU core", "off"), start.commit_id)
            await store.end_run(one.id, Measurement("crashed", "by the test"))

    lab = asyncio.run(make())
    told = autolab("status", str(lab.root)).stdout
    assert "no experiment yet" in told and "promoted" not in told
    assert "idle now, busy 0% of the last hour" in told
    assert [line.split() for line in told.splitlines() if line.startswith("paused")] == [["paused", "planner"]]
    asyncio.run(run(lab))
    assert "% of the 0 min since the first run" in autolab("status", str(lab.root)).stdout


def test_what_is_over_is_nothing_to_look_at_any_more(tmp_path: Path) -> None:
    async def make() -> Lab:
        lab = await make_empty_lab(tmp_path / "lab")
        async with Writer(lab.database) as store:
            await store.tell_anomaly("endpoints", "no server of models answers")
            await store.tell_anomaly("agent", "a job was given up: no key")
            await store.tell_anomaly("agent", "a job was given up: no server")
            await store.tell_anomaly("", "a result was refused")
            await store.hold_anomalies({"agent"})
        return lab

    told = autolab("status", str(asyncio.run(make()).root)).stdout
    looked = [line.split(maxsplit=4)[4] for line in told.splitlines() if line.startswith("look at")]
    assert looked == ["a result was refused", "a job was given up: no server"]
