"""Which servers of models do not answer: told when it begins and when it ends, and shown to whoever looks."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.views import dead_endpoints
from orchestrator.watching import endpoints
from orchestrator.watching.endpoints import watch_endpoints
from roles.circuit import FAILURES, Circuit

URL = "http://models.example:8000/v1"


async def knows(context: Context, expected: dict[str, str]) -> None:
    async with asyncio.timeout(10):
        while await dead_endpoints(context.store) != expected:
            await asyncio.sleep(0.05)


def test_a_server_that_does_not_answer_is_known_until_it_does_and_a_new_daemon_begins_anew(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        async with opened(Lab(bare)) as context:
            circuit = Circuit(URL)
            monkeypatch.setattr(endpoints, "circuits", lambda: [circuit.shown])
            watch = asyncio.create_task(watch_endpoints(context.store))
            for _ in range(FAILURES):
                circuit.failed("cannot be reached")
            await knows(context, {URL: "cannot be reached"})
            circuit.worked()
            await knows(context, {})
            for _ in range(FAILURES):
                circuit.failed("fails (502)")
            await knows(context, {URL: "fails (502)"})
            told = [event.reason for event in await context.store.events(limit=99) if URL in event.reason]
            assert told == [
                f"{URL} cannot be reached; nobody asks it but for a trial now and then",
                f"{URL} answers again",
                f"{URL} fails (502); nobody asks it but for a trial now and then",
            ]
            watch.cancel()
            circuit.worked()
            again = asyncio.create_task(watch_endpoints(context.store))
            await knows(context, {})
            again.cancel()

    asyncio.run(play())
