"""`autolab events`: what happened in a lab, the newest first."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from orchestrator.lab import Lab
from orchestrator.store.writer import Writer
from tests.command_line import autolab


def test_events_are_listed_with_who_did_what_and_why(bare: Path) -> None:
    async def happen() -> None:
        async with Writer(Lab(bare).database) as store:
            await store.event("anomaly", "autolab", "no free space")
            await store.event("lab", "ada@box", "the queue is paused")

    asyncio.run(happen())
    told = [line.split("\t") for line in autolab("events", str(bare)).stdout.splitlines()]
    assert told[0] == ["UTC", "what", "id", "why", "by"]
    assert [row[1:] for row in told[1:3]] == [
        ["lab", "", "the queue is paused", "ada@box"],
        ["anomaly", "", "no free space", "autolab"],
    ]
    assert ["master", "0"] in [row[1:3] for row in told], "where it began"
    assert "promoted" not in [row[1] for row in told], "nobody has won the start"
    newest = json.loads(autolab("events", "--json", str(bare)).stdout)[0]
    assert (newest["kind"], newest["actor"], newest["reason"]) == ("lab", "ada@box", "the queue is paused")
