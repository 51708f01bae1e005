"""The offline model's next turn in whichever job has these tools."""

from __future__ import annotations

from collections.abc import Sequence

from roles.chat import Message
from roles.offline import scripts
from roles.offline.solo import everything
from roles.offline.transcript import Turn, brief_of, calls


def next_turn(messages: Sequence[Message], tools: set[str], seed: int) -> Turn:
    """A conversation that does everything has its own way; the others are the specialists'."""
    if "run_experiment" in tools:
        return everything(brief_of(messages), calls(messages), seed)
    return scripts.next_turn(messages, tools, seed)
