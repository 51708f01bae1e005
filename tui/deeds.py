"""What keys do beyond looking and plain orders; each deed lives in a file of its own, and the app asks here for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from textual.app import App

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.remedies import instead_of_requeueing, no_other_change, stands
from orchestrator.store.reader import Reader
from orchestrator.store.records import Experiment
from orchestrator.store.states import EDITABLE, ENDED, State
from tui.commands import Order
from tui.copying import Copying
from tui.screens.room import RoomScreen
from tui.typed_ahead import OPENS
from tui.undoing import Undoing


class Deeds:
    """The deeds of one room; `give` carries an order out."""

    def __init__(self, app: App[Any], lab: Lab, reader: Reader, give: Callable[[Order], None]) -> None:
        self._app = app
        self._lab = lab
        self._reader = reader
        self._give = give
        self._copying = Copying(app, lab, reader)
        self._undoing = Undoing(app, lab, reader, give)

    def does(self, name: str, screen: RoomScreen, arguments: Mapping[str, Any] | None = None) -> bool:
        """Do what the table calls `name`; False when it is no deed of these."""
        words = list((arguments or {}).get("words", ()))
        match name:
            case "copy":
                self._copying.copy(screen)
            case "papers" | "settings":
                self._open(name)
            case "paper":
                self._app.run_worker(self._open_paper(words, screen), name=OPENS, group="paper")
            case "add":
                self._add()
            case "edit_requeue":
                self._app.run_worker(self._edit(screen), name=OPENS, group="edit")
            case "undo" if "command" not in (arguments or {}):
                self._undoing.ask()
            case _:
                return False
        return True

    # -- looking things up

    def _open(self, name: str) -> None:
        from tui.screens.papers import PapersScreen  # what the first screen does not need comes when asked for
        from tui.screens.settings import SettingsScreen

        page = PapersScreen(self._lab, self._reader) if name == "papers" else None
        self._app.push_screen(page or SettingsScreen(self._lab, self._reader, self._give))

    async def _open_paper(self, words: list[str], screen: RoomScreen) -> None:
        """The paper of that id, or of that experiment; else the one that the selected experiment names."""
        from orchestrator.review.citing import named_by, require_paper
        from tui.screens.papers import PaperScreen

        try:
            named = " ".join(words)
            if not named:
                ids = named_by(await self._experiment(screen))
                named = ids[0]
                if len(ids) > 1:
                    self._app.notify(f"It also names {', '.join(ids[1:])}: `:paper ID` opens one.", markup=False)
            paper = await require_paper(self._reader, named)
        except LabError as error:
            self._app.notify(str(error), severity="warning", markup=False)
            return
        self._app.push_screen(PaperScreen(self._lab, self._reader, paper.id))

    async def _experiment(self, screen: RoomScreen) -> Experiment:
        """The one that is meant on the screen at hand. Raises LabError."""
        number = screen.experiment_id
        experiment = None if number is None else await self._reader.experiment(number)
        if experiment is None:
            raise LabError("Select an experiment first: in the slots, the queue or the results.")
        return experiment

    # -- experiments of one's own

    def _add(self) -> None:
        from tui.screens.adding import AddForm

        self._app.push_screen(AddForm(self._lab, self._reader), self._tell)

    async def _edit(self, screen: RoomScreen) -> None:
        from tui.screens.adding import EditForm

        try:
            if len(screen.marked) > 1:
                raise LabError(
                    f"One experiment is edited at a time and {len(screen.marked)} are marked: esc clears them."
                )
            experiment = await self._experiment(screen)
            if experiment.state is State.PROMOTED:
                raise LabError(f"Experiment {experiment.id} is part of master already.", "a adds a follow-up.")
            if experiment.reverses is not None:
                raise no_other_change(experiment)
            if experiment.state not in ENDED | EDITABLE:
                raise LabError(f"{stands(experiment)} and has no outcome yet.", instead_of_requeueing(experiment))
        except LabError as error:
            self._app.notify(str(error), severity="warning", markup=False)
            return
        self._app.push_screen(EditForm(self._lab, self._reader, experiment), self._tell)

    def _tell(self, answer: str | None) -> None:
        # An editor may have had the terminal: the screen below is painted as a whole, whatever it thinks is there.
        self._app.call_later(self._app.screen.refresh, layout=True)
        if answer is not None:
            waits = "not running" in answer
            self._app.notify(answer, severity="warning" if waits else "information", markup=False)
