"""One order for several experiments: how they are named, and the answers of all in one notice."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.store.records import Command
from tui.present import plain

MOST_NAMED = 12


def named(ids: Sequence[int]) -> str:
    """`3 experiments: 4, 9, 12`."""
    numbers = ", ".join(str(number) for number in ids[:MOST_NAMED])
    more = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
    return f"{len(ids)} experiments ({numbers}{more})" if len(ids) != 1 else f"experiment {numbers}"


def summary(commands: Sequence[Command]) -> str:
    """What came of each command: how many were done, and why the others were not."""
    done = [int(command.arguments["id"]) for command in commands if command.state == "done"]
    refused = [plain(command.answer) for command in commands if command.state == "refused"]
    waiting = [int(command.arguments["id"]) for command in commands if command.state == "waiting"]
    said = [f"done for {named(done)}"] if done else []
    said += [f"not answered yet for {named(waiting)}"] if waiting else []
    said += [f"refused for {len(refused)}: {' '.join(refused[:3])}" + (" ..." if len(refused) > 3 else "")] * bool(
        refused
    )
    return "; ".join(said)
