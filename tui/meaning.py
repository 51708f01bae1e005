"""Which experiments a key means on the screen at hand: the marked ones, else the one under the cursor."""

from __future__ import annotations

from typing import Any

from orchestrator.actions import Action, Kind
from tui.commands import NotUnderstood, Order, marked_arguments
from tui.screens.room import RoomScreen

OF_A_RUN = ("pause_run", "stop_run", "kill", "log")


def order_of(action: Action, screen: RoomScreen) -> Order:
    """The order that an action's key gives here. Raises NotUnderstood when nothing is selected, or too much."""
    if action.name == "pause_run" and screen.agent is not None:
        return Order(action, {"agent": screen.agent})
    if action.takes != "id":
        return Order(action, {})
    if screen.marked and action.kind is Kind.COMMAND:
        return Order(action, marked_arguments(action, screen.marked))
    if screen.experiment_id is None:
        raise NotUnderstood("Select an experiment first: in the slots, the queue or the results.")
    meant: dict[str, Any] = {"id": screen.experiment_id}
    if action.name in OF_A_RUN and screen.run_id is not None:
        meant["run"] = screen.run_id  # the very run, where the experiment may have several
    return Order(action, meant)
