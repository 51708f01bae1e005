"""The commands `pause` and `resume` of agents: of one, or of all that have a role or are of a team."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.errors import LabError
from orchestrator.store.agents import AgentRow
from orchestrator.store.writer import Writer


async def pause_agents(store: Writer, words: Mapping[str, Any], actor: str, pause: bool) -> str:
    """Pause or resume whom `agent` names; of them only those in `only`, where that is given. Raises LabError."""
    name, agents = str(words["agent"]), await store.agents()
    meant = meant_by(name, agents)
    if not meant:
        known = sorted({word for row in agents for word in (row.name, row.role, row.team) if word})
        there = f"There are: {', '.join(known)}." if known else "`autolab start` brings the agents."
        raise LabError(f"There is no agent {name!r}.", there)
    only = words.get("only")
    changed = [one for one in meant if bool(one.paused_by) is not pause and (only is None or one.name in only)]
    for one in changed:
        await store.pause_agent(one.name, actor, pause)
    if len(meant) == 1:
        return _one(meant[0], pause, bool(changed))
    if not changed:
        return f"all agents of {name} are {'paused' if pause else 'at work'} already"
    whose = f"{len(changed)} agent{'s' if len(changed) > 1 else ''} of {name}"
    if pause:
        return f"{whose} {'are' if len(changed) > 1 else 'is'} paused after the reply at hand"
    return f"{whose} {'go' if len(changed) > 1 else 'goes'} on"


def meant_by(name: str, agents: Sequence[AgentRow]) -> list[AgentRow]:
    """The agent of that name; else all that have that role, or are of that team."""
    called = [one for one in agents if one.name == name]
    return called or [one for one in agents if name in (one.role, one.team)]


def _one(agent: AgentRow, pause: bool, changed: bool) -> str:
    if not changed:
        return f"{agent.name} is {f'paused by {agent.paused_by}' if pause else 'not paused'} already"
    return f"{agent.name} is paused after the reply at hand" if pause else f"{agent.name} goes on"
