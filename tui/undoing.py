"""`z`: what a person ordered last is taken back before a daemon has begun it, or undone; either after a question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from textual.app import App

from orchestrator.actions import ACTIONS
from orchestrator.actor import who
from orchestrator.errors import LabError
from orchestrator.lab import Lab, daemon_of
from orchestrator.store.reader import Reader
from orchestrator.store.records import Command
from tui.commands import Order
from tui.present import plain
from tui.screens.dialogs import Confirm
from tui.steering import ANSWER_SECONDS, DOWN
from tui.typed_ahead import OPENS

MOST_NAMED = 6
"""Orders that were given at once, in a question."""


class Undoing:
    """The way back from the orders of one room; `give` carries an order out."""

    def __init__(self, app: App[Any], lab: Lab, reader: Reader, give: Callable[[Order], None]) -> None:
        self._app = app
        self._lab = lab
        self._reader = reader
        self._give = give

    def ask(self) -> None:
        self._app.run_worker(self._ask(), name=OPENS, group="undo", exclusive=True)

    async def _ask(self) -> None:
        """Say what would be undone; a yes undoes exactly that."""
        from orchestrator.actions import BY_NAME
        from orchestrator.undoable import given_with, last_order, not_begun, refuse_in_hand, require_last

        try:
            if daemon_of(self._lab) is None and (waiting := await not_begun(self._reader, who())):
                self._ask_to_take_back(waiting)
                return
            await refuse_in_hand(self._reader, who())
            how = await require_last(self._reader, who(), further=True)
            last = await last_order(self._reader, who())
            all_of_it = await given_with(self._reader, how)
        except LabError as error:
            self._app.notify(str(error), title="undo", severity="warning", markup=False)
            return

        def answered(sure: bool | None) -> None:
            if sure:
                if len(all_of_it) == 1:
                    self._give(Order(BY_NAME["undo"], {"command": how.command.id}))
                else:
                    numbers = [one.command.id for one in all_of_it]
                    self._app.run_worker(self._undo_in_turn(numbers), group="orders")

        about = f"Then {how.then.removesuffix('.')}."
        if len(all_of_it) > 1:
            also = "\n".join(f"{plain(one.what)}: then {one.then}" for one in all_of_it[1:MOST_NAMED])
            more = f"\nand {len(all_of_it) - MOST_NAMED} more" if len(all_of_it) > MOST_NAMED else ""
            about += f"\nGiven at once with it, and undone with it:\n{also}{more}"
        if last is not None and last.id != how.command.id:
            about += f"\nYour last order, {_called(last.verb)}, cannot be undone; this is the one before."
        self._app.push_screen(Confirm(f"Undo {plain(how.what)}?", "Undo", about), answered)

    def _ask_to_take_back(self, orders: Sequence[Command]) -> None:
        """Nothing was done of them yet, and nothing will be."""

        def answered(sure: bool | None) -> None:
            if sure:
                self._app.run_worker(self._take_back(orders), group="orders")

        more = f" and {len(orders) - 1} more given with it" if len(orders) > 1 else ""
        question = f"Take back {plain(orders[0].called)}{more}?"
        self._app.push_screen(
            Confirm(question, "Take back", "It waits for the daemon; nothing was done yet."), answered
        )

    async def _take_back(self, orders: Sequence[Command]) -> None:
        for order in orders:
            try:
                back = await self._reader.withdraw_command(order)
            except LabError as error:
                self._app.notify(str(error), title="undo", severity="error", markup=False)
                return
            what = plain(order.called)
            told = f"{what} is taken back" if back else f"{what} was begun meanwhile; z undoes it"
            self._app.notify(told, severity="information" if back else "warning", markup=False)

    async def _undo_in_turn(self, numbers: Sequence[int]) -> None:
        """Each when the one before was answered: an undo takes back what is then the last. One notice for all."""
        try:
            answers = []
            for number in numbers:
                posted = await self._reader.post_command("undo", {"command": number}, who())
                if daemon_of(self._lab) is not None:
                    answers.append(await self._reader.answer(posted, ANSWER_SECONDS))
        except LabError as error:
            self._app.notify(str(error), title="undo", severity="error", markup=False)
            return
        if len(answers) < len(numbers):
            self._app.notify(DOWN, title="undo", severity="warning")
            return
        refused = [plain(command.answer) for command in answers if command.state != "done"]
        told = " ".join([f"{len(answers) - len(refused)} of {len(numbers)} orders are undone.", *refused[:3]])
        self._app.notify(told, title="undo", severity="warning" if refused else "information", markup=False)


def _called(verb: str) -> str:
    """An order by the word of its key, which is another than the verb for some."""
    return next((action.footer for action in ACTIONS if action.verb == verb and action.footer), verb)
