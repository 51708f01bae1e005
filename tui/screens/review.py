"""Review: the wins in the order in which master took them, with scores and cost, and the selected one's diff."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import DescendantFocus, Resize
from textual.widgets import Static

from orchestrator.branches import Repository
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.review.wins import Win, wins_of
from orchestrator.store.reader import Reader
from tui.diffs import coloured_diff
from tui.panes.line import OneLine
from tui.panes.rows import Rows
from tui.reviewing import WIN_COLUMNS, decided_line, first_open, heading, list_title, scores_line, win_cells, win_facts
from tui.screens.room import RoomScreen
from tui.split_diff import split_diff
from tui.tones import Line, Said, Tone

LOOK_SECONDS = 1.0
FACTS_COLUMNS = 132  # from here on the facts stand beside the list, and leave it room for its columns
SPLIT_COLUMNS = 160  # from here on a diff is side by side, unless asked otherwise
MOST_LIST_ROWS = 12


class ReviewScreen(RoomScreen):
    UNASKED: ClassVar[tuple[str, ...]] = ("ablate",)
    FOOTER: ClassVar[tuple[str, ...]] = (
        *("back", "open", "accept", "revert", "ablate", "patch", "pick", "next_pane", "help"),
        *("side_by_side", "full_screen", "command_line"),
    )

    def __init__(self, lab: Lab, reader: Reader) -> None:
        super().__init__()
        self._lab = lab
        self._reader = reader
        self._wins: list[Win] = []
        self._newest: int | None = None  # the event up to which the wins were read
        self._reading = False
        self._loaded = False
        self._diffs: dict[int, str | LabError] = {}
        self._split: bool | None = None  # None: by the width
        self._zoomed = False
        self._painted: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield OneLine(self._heading, classes="heading")
        with Vertical(id="review"):
            with Horizontal(id="win-top"):
                yield Rows(WIN_COLUMNS, id="wins", empty="reading")
                with VerticalScroll(id="win-facts", can_focus=False):
                    yield Static("", id="win-facts-text")
            with Vertical(id="win-lines"):
                yield OneLine(partial(self._line, decided_line), classes="win-line")
                yield OneLine(partial(self._line, scores_line), classes="win-line")
            with VerticalScroll(id="win-patch"):
                yield Static("", id="win-diff")
        yield self.footer()

    async def on_mount(self) -> None:
        self.query_one("#wins", Rows).border_title = "1 wins"
        self.query_one("#win-patch").border_title = "2 diff"
        self._list.focus()
        self.set_interval(LOOK_SECONDS, self._look)
        self._look()

    # -- what is shown

    @property
    def _list(self) -> Rows:
        return self.query_one("#wins", Rows)

    @property
    def win(self) -> Win | None:
        """The win under the cursor."""
        key = self._list.selected_key
        return next((win for win in self._wins if str(win.experiment.id) == key), None)

    @property
    def experiment_id(self) -> int | None:
        return None if self.win is None else self.win.experiment.id

    def _look(self) -> None:
        if not self._reading and self.is_current:
            self._reading = True
            self.run_worker(self._read(), group="wins")

    async def _read(self) -> None:
        try:
            row = await self._reader.row("SELECT coalesce(max(seq), 0) AS seq FROM events")
            newest = int(row["seq"]) if row is not None else 0
            if newest != self._newest:
                wins = await asyncio.to_thread(_wins, self._reader)
                self._newest = newest
                self._show(wins)
        except LabError as error:
            self._list.empty = str(error)
            self._list.refresh()
        finally:
            self._reading = False

    def _show(self, wins: list[Win]) -> None:
        first, self._loaded, self._wins = not self._loaded, True, wins
        self._list.empty = "No wins yet: what beats the baseline beyond noise is merged, and listed here."
        self._list.show([(str(win.experiment.id), win_cells(win)) for win in wins])
        if not wins:
            self._list.refresh()
        if first and wins:
            self._list.move_to(0)
            self._list.follow(first_open(wins) or str(wins[0].experiment.id))
        self._arrange()
        self._show_win()

    def _heading(self, width: int) -> Line:
        return heading(self._wins, width) if self._loaded else [Said("review", Tone.STRONG)]

    def _line(self, told: Callable[[Win, int], Line], width: int) -> Line:
        return [] if self.win is None else told(self.win, width)

    def _show_win(self) -> None:
        for line in self.query(OneLine):
            line.tell()
        self._list.border_title = list_title(self._wins)
        win, colours = self.win, self.app.theme_variables
        table = Table.grid(padding=(0, 2))
        table.add_column(style=colours["dim"], no_wrap=True)
        table.add_column()
        for name, words in win_facts(win) if win is not None else ():
            table.add_row(name, Text(words))
        self.query_one("#win-facts-text", Static).update(table)
        self._show_diff()

    def _show_diff(self) -> None:
        win = self.win
        if win is None:
            self.query_one("#win-diff", Static).update("")
            return
        number = win.experiment.id
        if number not in self._diffs:
            self.run_worker(self._load(win), group="diff", exclusive=True)
            return
        patch = self.query_one("#win-patch", VerticalScroll)
        width = max(40, self.size.width - 6)
        now = (number, width if self.split else 0)
        if now == self._painted:
            return
        if now[0] != (self._painted or (None,))[0]:
            patch.scroll_home(animate=False, immediate=True)
        self._painted = now
        patch.border_title = f"2 diff {win.experiment.label}"
        patch.border_subtitle = "side by side" if self.split else "unified"
        self.query_one("#win-diff", Static).update(self._drawn(self._diffs[number], width))

    def _drawn(self, diff: str | LabError, width: int) -> Text:
        colours = self.app.theme_variables
        if isinstance(diff, LabError):
            return Text(str(diff), style=colours["warn"])
        if not diff.strip():
            return Text("The patch changes nothing.", style=colours["dim"])
        return split_diff(diff, colours, width) if self.split else coloured_diff(diff, colours)

    async def _load(self, win: Win) -> None:
        one = win.experiment
        assert one.parent is not None and one.commit_id is not None
        try:
            self._diffs[one.id] = await asyncio.to_thread(Repository(self._lab.root).diff, one.parent, one.commit_id)
        except LabError as error:
            self._diffs[one.id] = error
        self._show_diff()

    @property
    def split(self) -> bool:
        return self.size.width >= SPLIT_COLUMNS if self._split is None else self._split

    # -- where everything stands

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < FACTS_COLUMNS, "small")
        self._arrange()
        self._show_diff()

    def _arrange(self) -> None:
        """The list takes the lines that it needs, within reason; the diff the rest, or everything when zoomed."""
        small = self.has_class("small")
        most = 5 if self.size.height < 30 else min(MOST_LIST_ROWS, max(6, self.size.height // 3))
        rows = max(1, min(len(self._wins), most)) if small else most
        zoomed_diff = self._zoomed and self._list.has_focus is False
        zoomed_list = self._zoomed and not zoomed_diff
        top = self.query_one("#win-top")
        top.display = not zoomed_diff
        top.styles.height = "1fr" if zoomed_list else rows + 3
        self.query_one("#win-patch").display = not zoomed_list
        self.query_one("#win-facts").display = not small
        self.query_one("#win-lines").display = small and not self._zoomed

    def on_descendant_focus(self, _: DescendantFocus) -> None:
        for name in ("wins", "win-patch"):
            pane = self.query_one(f"#{name}")
            pane.set_class(pane.has_focus, "current")

    def on_rows_moved(self, _: Rows.Moved) -> None:
        self._show_win()

    def on_rows_opened(self, _: Rows.Opened) -> None:
        self._open()

    def _open(self) -> None:
        from tui.screens.experiment import ExperimentScreen

        if self.experiment_id is not None:
            self.app.push_screen(ExperimentScreen(self._lab, self._reader, self.experiment_id))

    # -- keys

    def _go_to(self, pane: str) -> None:
        self._zoomed = False
        self._arrange()
        self.query_one(f"#{pane}").focus()

    def view(self, name: str, key: str) -> bool:
        patch = self.query_one("#win-patch", VerticalScroll)
        match name:
            case "back" if self._zoomed:
                self._go_to("wins" if self._list.has_focus else "win-patch")
            case "back" | "leave":
                self.dismiss()
            case "open":
                self._open()
            case "next_pane" | "previous_pane":
                self._go_to("win-patch" if self._list.has_focus else "wins")
            case "pane" if key in ("1", "2"):
                self._go_to("wins" if key == "1" else "win-patch")
            case "diff":
                self._go_to("win-patch")
            case "side_by_side":
                self._split = not self.split
                self._show_diff()
            case "full_screen":
                self._zoomed = not self._zoomed
                self._arrange()
            case "down" | "up" | "first" | "last" if self._list.has_focus:
                self._list.move(name)
            case "down" | "up":
                patch.scroll_relative(y=1 if name == "down" else -1, animate=False, immediate=True)
            case "first":
                patch.scroll_home(animate=False, immediate=True)
            case "last":
                patch.scroll_end(animate=False, immediate=True)
            case "review":
                pass  # here already
            case _:
                return False
        return True


def _wins(reader: Reader) -> list[Win]:
    """In a thread of its own, with a connection of its own: what is believed takes a moment in a large lab."""

    async def read() -> list[Win]:
        async with Reader(reader.path) as own:
            return await wins_of(own)

    return asyncio.run(read())
