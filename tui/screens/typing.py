"""A window with one line to type: what stands in it is kept from the first letter on, and given once."""

from __future__ import annotations

from textual.screen import ModalScreen
from textual.timer import Timer

from tui.typed_before import TypedBefore

SAVE_SECONDS = 0.3


class TypingScreen(ModalScreen[str | None]):
    """A dropped line, esc and the end of the room cost nothing of what was typed."""

    def __init__(self, before: TypedBefore) -> None:
        super().__init__()
        self._before = before
        self._unsaved = ""
        self._due: Timer | None = None

    def keep(self, line: str) -> None:
        """It stands there now; an empty one keeps what stood there before."""
        self._settle()
        self._unsaved = line
        if line:
            self._due = self.set_timer(SAVE_SECONDS, self._save)

    def give(self, line: str) -> None:
        """It is handed in: nothing is left to be kept."""
        self._settle()
        self._before.given(line)

    def leave(self, line: str) -> None:
        """With esc."""
        self._settle()
        self._before.left(line)
        self.dismiss(None)

    def on_unmount(self) -> None:
        self._save()

    def _settle(self) -> None:
        if self._due is not None:
            self._due.stop()
        self._unsaved = ""

    def _save(self) -> None:
        if self._unsaved:
            self._before.left(self._unsaved)
        self._unsaved = ""
