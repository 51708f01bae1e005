"""Morning: what happened while the person was away; what was merged opens its diff."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from rich.style import Style
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import DescendantFocus, Resize
from textual.widgets import Static

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.review.morning import Morning, morning_of
from orchestrator.store.reader import Reader
from tui.mornings import MERGED_COLUMNS, facts, heading, merged_cells, words
from tui.panes.line import OneLine
from tui.panes.rows import Rows
from tui.reviewing import list_title
from tui.screens.room import RoomScreen
from tui.tones import Line, Tone

WIDE = 110  # columns from which the words stand beside the figures


class MorningScreen(RoomScreen):
    """Read once, when it opens: a summary that changes under the eyes cannot be read."""

    FOOTER: ClassVar[tuple[str, ...]] = ("back", "open", "review", "next_pane", "accept", "revert", "help", "leave")

    def __init__(self, lab: Lab, reader: Reader, since: str) -> None:
        super().__init__()
        self._lab = lab
        self._reader = reader
        self._since = since
        self._morning: Morning | None = None

    def compose(self) -> ComposeResult:
        yield OneLine(self._heading, classes="heading")
        with Horizontal(id="morning"):
            with Vertical(id="morning-left"):
                yield Static("", id="morning-facts")
                yield Rows(MERGED_COLUMNS, id="morning-wins", empty="Nothing was merged meanwhile.")
                yield VerticalScroll(Static("", classes="morning-words"), id="morning-below")
            with VerticalScroll(id="morning-right"):
                yield Static("", classes="morning-words")
        yield self.footer()

    async def on_mount(self) -> None:
        self.query_one("#morning-wins", Rows).focus()
        try:
            morning = await asyncio.to_thread(_morning, self._reader, self._since)
        except LabError as error:
            self.query_one("#morning-facts", Static).update(Text(str(error)))
            return
        self._morning = morning
        self._show(morning)

    # -- what is shown

    def _heading(self, width: int) -> Line:
        return heading(self._morning, width)

    def _show(self, morning: Morning) -> None:
        self.query_one(".heading", OneLine).tell()
        colours = self.app.theme_variables
        table = Table.grid(padding=(0, 2))
        table.add_column(style=colours["dim"], no_wrap=True)
        table.add_column()
        for name, told in facts(morning):
            table.add_row(name, Text(told, Style(color=colours["strong"], bold=True) if name == "best" else ""))
        self.query_one("#morning-facts", Static).update(table)
        merged = self.query_one("#morning-wins", Rows)
        merged.show([(str(win.experiment.id), merged_cells(win)) for win in morning.merged])
        merged.border_title = list_title(morning.merged)
        said = self._painted(words(morning))
        for place in self.query(".morning-words").results(Static):
            place.update(said)
        self._arrange()

    def _painted(self, lines: list[Line]) -> Text:
        colours = self.app.theme_variables
        text = Text()
        for line in lines:
            for said in line:
                bold = said.tone is Tone.LIVE
                colour = colours.get(said.tone.value)
                text.append(said.text, Style(color=colour, bold=bold) if colour else None)
            text.append("\n")
        return text

    # -- where everything stands

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < WIDE, "small")
        self._arrange()

    def _arrange(self) -> None:
        """Wide: figures and merges at the left, words at the right. Small: all of it below one another."""
        small = self.has_class("small")
        number = len(self._morning.merged) if self._morning is not None else 0
        merged = self.query_one("#morning-wins", Rows)
        merged.styles.height = (min(max(number, 1), 4) + 3) if small else "1fr"
        self.query_one("#morning-right").display = not small
        self.query_one("#morning-below").display = small

    @property
    def _words(self) -> VerticalScroll:
        name = "#morning-below" if self.has_class("small") else "#morning-right"
        return self.query_one(name, VerticalScroll)

    def on_descendant_focus(self, _: DescendantFocus) -> None:
        for pane in (self.query_one("#morning-wins"), self._words):
            pane.set_class(pane.has_focus, "current")

    @property
    def experiment_id(self) -> int | None:
        key = self.query_one("#morning-wins", Rows).selected_key
        return None if key is None else int(key)

    def on_rows_opened(self, _: Rows.Opened) -> None:
        self._open()

    def _open(self) -> None:
        from tui.screens.experiment import ExperimentScreen

        if self.experiment_id is None:
            self.notify("Nothing was merged meanwhile; esc goes to the dashboard.")
        else:
            self.app.push_screen(ExperimentScreen(self._lab, self._reader, self.experiment_id, at_diff=True))

    # -- keys

    def view(self, name: str, key: str) -> bool:
        merged, below = self.query_one("#morning-wins", Rows), self._words
        match name:
            case "back":
                self.dismiss()
            case "open":
                self._open()
            case "next_pane" | "previous_pane":
                (below if merged.has_focus else merged).focus()
            case "pane" if key in ("1", "2"):
                (merged if key == "1" else below).focus()
            case "down" | "up" | "first" | "last" if merged.has_focus and merged.row_count > 1:
                merged.move(name)
            case "down" | "up":
                below.scroll_relative(y=1 if name == "down" else -1, animate=False, immediate=True)
            case "first":
                below.scroll_home(animate=False, immediate=True)
            case "last":
                below.scroll_end(animate=False, immediate=True)
            case "morning":
                pass  # here already
            case _:
                return False
        return True


def _morning(reader: Reader, since: str) -> Morning:
    """In a thread of its own, with a connection of its own: a long absence is a lot to read."""

    async def read() -> Morning:
        async with Reader(reader.path) as own:
            return await morning_of(own, since)

    return asyncio.run(read())
