"""What keys do beyond looking and plain orders; each deed lives in a file of its own, and the app asks here for it."""

from __future__ import annotations

from typing import Any

from textual.app import App

from orchestrator.lab import Lab
from orchestrator.store.reader import Reader
from tui.copying import Copying
from tui.screens.room import RoomScreen


class Deeds:
    """The deeds of one room."""

    def __init__(self, app: App[Any], lab: Lab, reader: Reader) -> None:
        self._copying = Copying(app, lab, reader)

    def does(self, name: str, screen: RoomScreen) -> bool:
        """Do what the table calls `name`; False when it is no deed of these."""
        match name:
            case "copy":
                self._copying.copy(screen)
            case _:
                return False
        return True
