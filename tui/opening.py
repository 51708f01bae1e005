"""What is told when the room opens: that a lab which somebody had stopped is at work again, and of labs beside it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from textual.app import App

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.store.reader import Reader
from orchestrator.store.records import AT_WORK, Command
from tui.present import age, plain


async def stopped_by(lab: Lab) -> Command | None:
    """The order to stop after which the lab has not gone to work again; None for a daemon that ended otherwise."""
    with contextlib.suppress(LabError):  # a database that cannot be read is for the daemon to say
        async with Reader(lab.database) as reader:
            row = await reader.row(
                "SELECT * FROM commands WHERE verb = 'stop' AND state = 'done' AND at >="
                " (SELECT coalesce(max(at), '') FROM events WHERE kind = 'lab' AND reason = ?) ORDER BY id DESC",
                (AT_WORK,),
            )
            return None if row is None else Command.from_row(row)
    return None


def started_again(stop: Command) -> str:
    """What is told of a lab that somebody had stopped: it is at work again, and how it is looked at without."""
    when = age(stop.answered_at or stop.at)
    return (
        f"{plain(stop.actor)} stopped this lab {when} ago; opening it has started it again. `:stop` lets it rest,"
        " and `autolab-tui --read-only` only looks."
    )


async def tell_of_neighbours(app: App[Any], lab: Lab) -> None:
    """A lab that was made or started just now may stand beside another, perhaps the one that was meant."""
    from orchestrator.neighbours import labs_at_work, told

    others = await asyncio.to_thread(labs_at_work, lab)
    if others:
        app.notify(told(others), title="another lab", severity="warning", timeout=20, markup=False)
