"""Whether a lab's patches are made by the built-in model alone, which knows a catalogue and no more."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.store.agents import AgentRow
from orchestrator.store.reader import Reader
from roles.offline import NAME

OFFLINE_WORKERS = "the built-in model only knows its catalogue: give a patch, or name a language model in autolab.toml"


BUILT_IN_HEARS_NOTHING = "the built-in model works by rules and makes nothing of it"


def hears_nothing(agent: str, agents: Sequence[AgentRow]) -> bool:
    """Whether a message to an agent, a role, a team or all reaches the built-in model alone."""
    meant = [row.model for row in agents if agent in (row.name, row.role, row.team, "all")]
    return bool(meant) and all(model == NAME for model in meant)


async def only_offline_workers(reader: Reader) -> bool:
    """Of the workers that were at work last; False where none ever was. Raises LabError."""
    models = [agent.model for agent in await reader.agents() if agent.role == "worker"]
    return bool(models) and all(model == NAME for model in models)
