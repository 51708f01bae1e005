"""The settings: those that may change now are edited in place, the others say where they are changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Static

from orchestrator.actions import BY_NAME
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.live_settings import ELSEWHERE, is_live
from orchestrator.settings import Settings, settings_from
from orchestrator.store.reader import Reader
from orchestrator.store.records import Command
from tui.commands import Order
from tui.panes.line import OneLine
from tui.panes.rows import Rows
from tui.screens.dialogs import Ask
from tui.screens.room import RoomScreen
from tui.settings_rows import SETTING_COLUMNS, comments_of, setting_cells, shown_settings
from tui.tones import Line, Said, Tone, fit

LOOK_SECONDS = 0.5


class SettingsScreen(RoomScreen):
    FOOTER: ClassVar[tuple[str, ...]] = ("back", "open", "filter", "first", "last", "undo", "command_line", "help")

    def __init__(self, lab: Lab, reader: Reader, give: Callable[[Order], None]) -> None:
        """`give` carries an order out."""
        super().__init__()
        self._lab, self._reader, self._give = lab, reader, give
        self._values: dict[str, str] = {}
        self._comments: dict[str, str] = {}
        self._waiting: dict[str, str] = {}
        self._search = ""
        self._tried: dict[str, str] = {}  # by setting, what was asked for last
        self._trouble = ""  # why the file says nothing
        self._seen: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield OneLine(self._heading, classes="heading")
        with Vertical(id="panes"):
            yield Rows(SETTING_COLUMNS, id="settings", empty="reading")
            yield Static("", id="setting", markup=False)
        yield self.footer()

    async def on_mount(self) -> None:
        self._list.focus()
        self._list.add_class("current")
        self.set_interval(LOOK_SECONDS, self._look)
        await self._look()
        self._list.move_to(0)

    @property
    def _list(self) -> Rows:
        return self.query_one("#settings", Rows)

    def _heading(self, width: int) -> Line:
        words = f"  {self._lab.settings_file}"
        return [Said("settings", Tone.STRONG), Said(fit(words, max(0, width - 8)), Tone.DIM)]

    async def _look(self) -> None:
        try:
            text = self._lab.settings_file.read_text(encoding="utf-8")
            waiting = await self._asked()
            seen = (text, tuple(waiting.items()))
            if seen == self._seen:
                return
            self._seen, self._waiting = seen, waiting
            settings: Settings = settings_from(text, self._lab.settings_file)
        except (LabError, OSError, UnicodeDecodeError) as error:
            self._trouble = str(error)
            self._list.empty = "no setting can be read"
            self._list.show([])
            self._list.refresh()
            self._tell()
            return
        self._trouble = ""
        self._values = dict(shown_settings(settings))
        self._comments = dict(comments_of(text))
        self._show()

    async def _asked(self) -> dict[str, str]:
        """Changes that wait for the daemon's answer."""
        rows = await self._reader.rows("SELECT * FROM commands WHERE state = 'waiting' AND verb = 'set' ORDER BY id")
        orders = [Command.from_row(row) for row in rows]
        return {str(order.arguments.get("key")): str(order.arguments.get("value")) for order in orders}

    def _show(self) -> None:
        self._list.empty = "no setting matches the filter; esc clears it"
        rows = [
            (key, setting_cells(key, value, self._waiting.get(key), self.only_looks))
            for key, value in self._values.items()
            if self._search in key
        ]
        self._list.show(rows)
        self._list.refresh()
        self._tell()

    def _tell(self) -> None:
        if self._trouble:
            self.query_one("#setting", Static).update(self._trouble)
            return
        key = self._list.selected_key or ""
        where = f"  Changed {ELSEWHERE}." if key and not is_live(key) else ""
        self.query_one("#setting", Static).update(f"{self._comments.get(key, '')}{where}".strip())

    def on_rows_moved(self, _: Rows.Moved) -> None:
        self._tell()

    def on_rows_opened(self, _: Rows.Opened) -> None:
        self._edit()

    def _edit(self) -> None:
        key = self._list.selected_key
        if key is None:
            return
        if not is_live(key):
            self.notify(f"{key} is not changed while the lab is at work: change it {ELSEWHERE}.", markup=False)
            return

        if self.only_looks:
            self.notify(
                "This room only watches: set would change the lab. Open it without --read-only.",
                title="read-only",
                severity="warning",
            )
            return

        def given(text: str | None) -> None:
            if text is not None and text.strip() and text.strip() != self._values[key]:
                self._tried[key] = text.strip()
                self._give(Order(BY_NAME["set"], {"key": key, "value": text.strip()}))

        was = self._tried.pop(key, self._values[key])  # what was refused is there to be mended
        self.app.push_screen(Ask(f"{key} =", was, "the lab works by it at once; z undoes it"), given)

    def view(self, name: str, key: str) -> bool:
        match name:
            case "back" if self._search:
                self._filter("")
            case "back" | "leave":
                self.dismiss()
            case "open":
                self._edit()
            case "down" | "up" | "first" | "last":
                self._list.move(name)
            case "filter":
                self.app.push_screen(Ask("/", self._search, "filters the settings; empty shows all"), self._filter)
            case "settings":
                pass  # here already
            case _:
                return False
        return True

    def _filter(self, text: str | None) -> None:
        if text is not None:
            self._search = text.strip().lower()
            self._show()
