"""Whether a lab's patches are made by the built-in model alone, which knows a catalogue and no more."""

from __future__ import annotations

from orchestrator.store.reader import Reader
from roles.offline.model import NAME

OFFLINE_WORKERS = "the built-in model only knows its catalogue: give a patch, or name a language model in autolab.toml"


async def only_offline_workers(reader: Reader) -> bool:
    """Of the workers that were at work last; False where none ever was. Raises LabError."""
    models = [agent.model for agent in await reader.agents() if agent.role == "worker"]
    return bool(models) and all(model == NAME for model in models)
