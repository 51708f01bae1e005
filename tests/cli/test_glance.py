"""`autolab status` for people: what a lab has done is counted from its own life, and what is held back is named."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from orchestrator.lab import Lab, LabLock
from orchestrator.store.agents import StoredCall
from orchestrator.store.records import RunKind
from orchestrator.store.writer import Measurement, Place, Writer
from tests.command_line import autolab
from tests.tui.driving import say_who
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


def test_orders_that_nobody_has_answered_are_told_and_a_stop_under_way_is_named(tmp_path: Path) -> None:
    async def make() -> Lab:
        lab = await make_empty_lab(tmp_path / "lab")
        async with Writer(lab.database) as store:
            await store.post_command("drop", {"id": 3}, "ada@box")
            await store.post_command("stop", {}, "bob@box")
        return lab

    def told(lab: Lab) -> list[str]:
        lines = autolab("status", str(lab.root)).stdout.splitlines()
        return [line.split(maxsplit=1)[1] for line in lines if line.startswith("order ")]

    lab = asyncio.run(make())
    dropping = "the drop of experiment 3 by ada@box"
    assert told(lab)[0].startswith(f"{dropping} waits for the daemon")
    lock = LabLock(lab)
    lock.acquire()
    try:
        say_who(lab)
        first, second = told(lab)
        orders = json.loads(autolab("status", "--json", str(lab.root)).stdout)["orders"]
    finally:
        lock.release()
    assert first == f"{dropping} is being carried out"
    assert second.startswith(
        "the lab is coming to its end and lets the runs under way finish first, as bob@box ordered"
    )
    assert [(order["verb"], order["by"]) for order in orders] == [("drop", "ada@box"), ("stop", "bob@box")]


def test_each_agent_at_a_job_is_told_with_its_model_and_how_its_last_reply_ended(tmp_path: Path) -> None:
    def call(agent: str, job: str, model: str, outcome: str, reply: str, troubles: str) -> StoredCall:
        figures = (0, 0, 0, 0.0, 1.0, None, "")
        return StoredCall(agent, "worker", job, 5, model, "", reply, "[]", *figures, outcome, troubles)

    async def make() -> Lab:
        lab = await make_empty_lab(tmp_path / "lab")
        async with Writer(lab.database) as store:
            names = ("planner", "researcher", "reviewer", "worker-1", "worker-2", "worker-3")
            await store.set_agents([(name, name.split("-")[0], "offline", "small") for name in names])
            await store.add_call(call("worker-1", "patch 4", "old", "finished", "", "[]"))
            await asyncio.sleep(0.01)
            for name, job in (("worker-1", "patch 5"), ("worker-2", "patch 6"), ("worker-3", "patch 7")):
                await store.set_agent(name, "thinking", job, 5, begins=True)
            await store.add_call(call("worker-2", "patch 6", "large", "no call", "Well.", '["no_call", "cut"]'))
            await store.add_call(call("worker-3", "patch 7", "small", "failed", "It needs a key.", "[]"))
            await store.set_agent("worker-2", "calling", "patch 6", 5)
            await store.set_agent("worker-3", "waiting", "for the result of experiment 5", 5)
            await store.set_agent("planner", "idle", "last: plan 3 proposed experiments")
            await store.set_agent("reviewer", "waiting", "next try in 5 s: no server")
        return lab

    lab = asyncio.run(make())
    assert json.loads(autolab("status", "--json", str(lab.root)).stdout)["agents"] == [], (
        "nobody works without a daemon"
    )
    lock = LabLock(lab)
    lock.acquire()
    try:
        say_who(lab)
        told = autolab("status", str(lab.root)).stdout
        agents = json.loads(autolab("status", "--json", str(lab.root)).stdout)["agents"]
    finally:
        lock.release()
    lines = [re.sub(r"\d+ s\b", "N s", line.split(maxsplit=1)[1]) for line in told.splitlines() if line[:6] == "agent "]
    assert lines == [
        "reviewer waits for N s: next try in N s: no server",
        "worker-1: patch 5 for N s, on small: no reply yet",
        "worker-2: patch 6 for N s, on large: its last call, N s ago: no call (no call, cut)",
        "worker-3 waits for the result of experiment 5, at its job for N s, on small: its last call, N s ago: It needs"
        " a key.",
    ]
    assert [one["name"] for one in agents] == ["reviewer", "worker-1", "worker-2", "worker-3"]
    assert agents[2]["model"] == "large" and agents[2]["last"]["troubles"] == ["no_call", "cut"]
    assert agents[2]["since"] <= agents[2]["last"]["at"] and agents[1]["last"] is None
