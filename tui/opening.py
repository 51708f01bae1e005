"""Before the room opens: a lab that a person has stopped is not started again by being looked at without a question."""

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
from tui.screens.dialogs import Confirm


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


def start_again(stop: Command) -> Confirm:
    """The question; no leaves the lab at rest."""
    when = age(stop.answered_at or stop.at)
    return Confirm(
        f"{plain(stop.actor)} stopped this lab {when} ago. Start it again?",
        "Start it",
        "Without it you look at what is there; S starts it later.",
        no="Only look",
    )


async def tell_of_neighbours(app: App[Any], lab: Lab) -> None:
    """A lab that was made or started just now may stand beside another, perhaps the one that was meant."""
    from orchestrator.neighbours import labs_at_work, told

    others = await asyncio.to_thread(labs_at_work, lab)
    if others:
        app.notify(told(others), title="another lab", severity="warning", timeout=20, markup=False)
