"""What a slot waits for that has nothing to run, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.report.at_work import AtWork, at_work
from orchestrator.store.reader import Reader
from orchestrator.store.states import State
from orchestrator.team_settings import SOLO

BRINGING = (
    (State.READY, ()),
    (State.PATCHING, ("worker", "reviewer")),
    (State.QUEUED, ("worker",)),
    (State.PROPOSED, ("planner",)),
)
"""Who brings on what stands in a state, from the last state before a run to the first."""


async def awaited(reader: Reader, counts: Mapping[State, int]) -> str:
    """In a clause; "" where it is no agent."""
    roles = next((roles for state, roles in BRINGING if counts.get(state)), ("researcher",))
    agents = [agent for agent in await reader.agents() if roles and agent.role in (*roles, SOLO)]
    names = {agent.name for agent in agents}
    busy = [one for one in await at_work(reader) if one.agent.name in names]
    if busy:
        return f"it waits for {'; '.join(map(_told, busy))}; `autolab doctor` tries its model"
    held = [agent.name for agent in agents if agent.paused_by]
    if held:
        return f"it waits for {', '.join(held)}, which is paused: `autolab resume {held[0]}` lets it go on"
    return f"it waits for {' or '.join(sorted(names))}, which has no job" if names else ""


def _told(one: AtWork) -> str:
    agent = one.agent
    since = f" since {agent.since[11:16]} UTC" if agent.since else ""
    if agent.state == "waiting":
        return f"{agent.name}, which waits{since} ({agent.job.rstrip('.') or 'for a result'})"
    return f"{agent.name}, which is at a job{since} ({agent.job}) on {one.model}"
