"""The command `undo`: a person's own last order is taken back, as far as it can be (orchestrator.undoable)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.review.wins import mark_key
from orchestrator.store.records import Command
from orchestrator.store.states import State
from orchestrator.undoable import Undo, last_order, undo_of


async def undo(context: Context, command: Command, carry_out: Callable[[Command], Awaitable[str | None]]) -> str:
    """Undo the order `command.arguments["command"]`: the last of the person who asks, or the last that can be undone.

    `carry_out` is how the orders of people are answered. Raises LabError with the reason when it stays.
    """
    wanted = int(command.arguments["command"])
    last = [await last_order(context.store, command.actor, further=further) for further in (False, True)]
    order = next((one for one in last if one is not None and one.id == wanted), None)
    if order is None:
        await _require_standing(context, wanted, command.actor)
        raise LabError(
            "That is not your last order, or it is undone already.", "`autolab undo` asks for the last one afresh."
        )
    how = await undo_of(context.store, order)
    await _restore(context, how, command, carry_out)
    return f"{how.what} is undone: {how.then}"


async def _require_standing(context: Context, wanted: int, actor: str) -> None:
    """Raises LabError where it is an order of the person's own that has come to nothing since it was asked about."""
    row = await context.store.row("SELECT * FROM commands WHERE id = ? AND actor = ?", (wanted, actor))
    if row is not None:
        await undo_of(context.store, Command.from_row(row))


async def _restore(
    context: Context, how: Undo, command: Command, carry_out: Callable[[Command], Awaitable[str | None]]
) -> None:
    store, actor, words = context.store, command.actor, how.arguments
    match how.verb:
        case "state":
            await store.move(words["id"], State(words["state"]), f"{actor} has undone the drop", actor=actor)
        case "attempt":
            await store.take_back_attempt(words["id"], State(words["state"]), actor)
        case "priority":
            await store.set_priority(words["id"], words["value"], f"undone by {actor}", actor=actor)
        case "unmark":
            await store.set_meta(mark_key(words["id"]), "")
        case _:
            await carry_out(replace(command, verb=how.verb, arguments=words))
