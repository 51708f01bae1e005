"""A table that paints only the rows on the screen; the cursor stays on its key while rows come and go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.columns import GAP, Column, fitted
from tui.present import Cell, bar
from tui.tones import TONE_CLASSES, Said, Tone, fit, refresh_lines, segments

Cells = tuple[Cell, ...]
GUTTER = 2  # the cursor's sign and a space


class Rows(ScrollView, can_focus=True, inherit_bindings=False):
    """Rows with keys. `show` takes them all; what is painted is the window that the person sees."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"rows--head", "rows--cursor", "rows--cursor-away", *TONE_CLASSES}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown", "page(1)", show=False),
    ]

    @dataclass
    class Moved(Message):
        """The cursor stands on another row."""

        rows: Rows

    @dataclass
    class Opened(Message):
        """A row was clicked twice."""

        rows: Rows

    def __init__(self, columns: Sequence[Column], *, id: str, empty: str = "", head: bool = True) -> None:
        super().__init__(id=id)
        self._columns = columns
        self._rows: list[tuple[str, Cells]] = []
        self._cursor = 0
        self._follows_top = True  # until the person moves: new rows come in above
        self._fitted: list[tuple[int, int]] = []
        self.empty = empty
        self.head = head

    # -- what is shown

    def show(self, rows: Sequence[tuple[str, Cells]]) -> None:
        """Take these rows, in this order; nothing is painted when they are the same."""
        rows = list(rows)
        if rows == self._rows:
            return
        before, key, old, fitted_before = self._cursor, self.selected_key, self._rows, self._fitted
        self._rows = rows
        self._cursor = 0 if self._follows_top else self._place(key, before)
        self._fit()
        moved_by = self._cursor - before
        if moved_by and self.scroll_offset.y:
            self.scroll_to(y=self.scroll_offset.y + moved_by, animate=False, force=True)
        self._keep_in_sight()
        if self._fitted == fitted_before and self._cursor == before and len(old) == len(rows):
            top = self.scroll_offset.y
            seen = slice(top, top + self._window)
            blank = [None] * self.head
            refresh_lines(self, [*blank, *old[seen]], [*blank, *rows[seen]])
        else:
            self.refresh()
        if self.selected_key != key:
            self.post_message(self.Moved(self))

    def _place(self, key: str | None, before: int) -> int:
        """Where the row of the cursor is now; where it was if it is gone."""
        for index, (other, _) in enumerate(self._rows):
            if other == key:
                return index
        return max(0, min(before, len(self._rows) - 1))

    @property
    def row_count(self) -> int:
        return len(self._rows)

    @property
    def cursor(self) -> int:
        return self._cursor

    @property
    def selected_key(self) -> str | None:
        """The key of the row under the cursor."""
        return self._rows[self._cursor][0] if self._cursor < len(self._rows) else None

    # -- moving

    def move(self, where: str) -> None:
        """down, up, first or last."""
        last = len(self._rows) - 1
        to = {"down": self._cursor + 1, "up": self._cursor - 1, "first": 0, "last": last}[where]
        self.move_to(to)
        self._follows_top = where == "first" or (self._follows_top and not self._rows)

    def move_to(self, index: int) -> None:
        index = max(0, min(index, len(self._rows) - 1))
        self._follows_top = False
        if index != self._cursor:
            before, top = self._cursor, self.scroll_offset.y
            self._cursor = index
            self._keep_in_sight()
            if self.scroll_offset.y == top:  # over a thin line two rows cost a tenth of all
                for row in (before, index):
                    self.refresh(Region(0, row - top + self.head, self.size.width, 1))
            else:
                self.refresh()
            self.post_message(self.Moved(self))

    def follow(self, key: str) -> None:
        """Put the cursor on a row by the room's own choice."""
        self._cursor = self._place(key, self._cursor)
        self._keep_in_sight()
        self.refresh()

    def action_page(self, step: int) -> None:
        self.move_to(self._cursor + step * max(1, self._window - 1))

    @property
    def _window(self) -> int:
        """How many rows are seen at once."""
        return max(1, self.size.height - self.head)

    def _keep_in_sight(self) -> None:
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif self._cursor >= top + self._window:
            self.scroll_to(y=self._cursor - self._window + 1, animate=False, force=True)

    def on_click(self, event: Click) -> None:
        index = event.y - self.head + self.scroll_offset.y
        if 0 <= index < len(self._rows):
            self.move_to(index)
            if event.chain == 2:
                self.post_message(self.Opened(self))

    # -- painting

    def on_resize(self, _: Resize) -> None:
        self._fit()
        self._keep_in_sight()

    def _fit(self) -> None:
        width = self.scrollable_content_region.width or self.size.width
        empty = frozenset(i for i in range(len(self._columns)) if not any(_says(cells[i]) for _, cells in self._rows))
        self._fitted = fitted(self._columns, width - GUTTER, empty if self._rows else frozenset())
        self.virtual_size = Size(width, len(self._rows) + self.head)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        index = y - self.head + self.scroll_offset.y
        if self.head and y == 0:
            strip = self._head()
        elif 0 <= index < len(self._rows):
            strip = self._row(index)
        elif not self._rows and y == self.head:
            strip = Strip(segments(self, [Said("  " + fit(self.empty, width - GUTTER), Tone.DIM)]))
        else:
            strip = Strip([])
        return strip.adjust_cell_length(width, self.rich_style)

    def _head(self) -> Strip:
        gap = " " * GAP
        words = [fit(self._columns[i].heading, width, self._columns[i].right) for i, width in self._fitted]
        style = self.rich_style + self.get_component_rich_style("rows--head", partial=True)
        return Strip([Segment(" " * GUTTER + gap.join(words), style)])

    def _row(self, index: int) -> Strip:
        cells = self._rows[index][1]
        line = []
        for number, (column, width) in enumerate(self._fitted):
            if number:
                line.append(Said(" " * GAP))
            cell = cells[column]
            match cell:
                case None:
                    line.append(Said(" " * width))
                case Said():
                    line.append(Said(fit(cell.text, width, self._columns[column].right), cell.tone))
                case _:
                    done = bar(cell, width)
                    line += [Said(done.rstrip("─"), Tone.LIVE), Said("─" * (width - len(done.rstrip("─"))), Tone.DIM)]
        at_cursor = index == self._cursor
        sign = Said("▌ " if at_cursor and self.has_focus else "  ", Tone.LIVE)
        name = "rows--cursor" if self.has_focus else "rows--cursor-away"
        over = self.get_component_rich_style(name, partial=True) if at_cursor else None
        painted = segments(self, [sign, *line], over)
        width = self.scrollable_content_region.width
        style = self.rich_style + over if over is not None else self.rich_style
        return Strip(painted).adjust_cell_length(width, style)


def _says(cell: Cell) -> bool:
    return bool(cell.text) if isinstance(cell, Said) else cell is not None
