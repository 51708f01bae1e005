"""Who plays a job at present."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Playing:
    """The name of the model that plays a job; the agent loop enters the next one of a list when one leads nowhere."""

    model: str
