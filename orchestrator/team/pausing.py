"""An agent that a person has paused: it ends the reply at hand, then takes no step and no job until it is resumed."""

from __future__ import annotations

import asyncio

from orchestrator.store.writer import Writer

LOOK_SECONDS = 0.5


async def may_go_on(store: Writer, name: str) -> None:
    """Returns at once for an agent that nobody has paused, else when it is resumed. Raises LabError."""
    if not await store.paused_by(name):
        return
    row = next((agent for agent in await store.agents() if agent.name == name), None)
    before = row.state if row is not None and row.state != "paused" else "idle"
    await store.show_agent(name, "paused")
    while await store.paused_by(name):
        await asyncio.sleep(LOOK_SECONDS)
    await store.show_agent(name, before)
