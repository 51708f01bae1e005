"""What the screens of the room have in common: they take the keys of the action table, and mean an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tui.keys import footer
from tui.paced import PacedApp, PacedScreen
from tui.panes.line import OneLine


class RoomScreen(PacedScreen[None]):
    """The app hands every key of the table to the screen on top."""

    FOOTER: ClassVar[tuple[str, ...]] = ()
    UNASKED: ClassVar[tuple[str, ...]] = ()
    """Actions whose keys ask nothing here, where they are what one comes for."""

    AUTO_FOCUS = None

    def on_screen_resume(self) -> None:
        if isinstance(self.app, PacedApp):
            self.app.page_shown(self)

    def footer(self) -> OneLine:
        return OneLine(lambda width: footer(width, self.offered, only_looking=self.only_looks), classes="footer")

    @property
    def offered(self) -> tuple[str, ...]:
        """Of FOOTER what can be done with what is shown."""
        return self.FOOTER

    @property
    def only_looks(self) -> bool:
        """Whether this room changes nothing."""
        return bool(getattr(self.app, "read_only", False))

    @property
    def own_keys(self) -> tuple[str, ...]:
        """The actions that this page is for; help begins with them."""
        return self.FOOTER

    @property
    def experiment_id(self) -> int | None:
        """The experiment that an action means here."""
        return None

    def hold(self) -> None:
        """What is selected stays selected: the person does something with it."""

    @property
    def marked(self) -> tuple[int, ...]:
        """The experiments that are marked here: what can be done to several is done to these."""
        return ()

    @property
    def run_id(self) -> int | None:
        """The very run that is meant here, where an experiment may have several under way."""
        return None

    @property
    def agent(self) -> str | None:
        """The agent that a message goes to here."""
        return None

    @property
    def path(self) -> Path | None:
        """The file that is shown here."""
        return None

    @property
    def shows_patch(self) -> bool:
        """Whether the person looks at the experiment's patch."""
        return False

    def view(self, name: str, key: str) -> bool:
        """Do what the table calls `name` by looking elsewhere; False when it means nothing here."""
        return False
