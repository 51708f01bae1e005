"""A table that paints only the rows on the screen; the cursor stays on its key while rows come and go.

It may hold a window of a long list: what it lacks it asks for as the person comes near.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from orchestrator.columns import GAP, Column, fitted
from tui.present import Cell, bar
from tui.tones import TONE_CLASSES, Said, Tone, fit, refresh_lines, segments

Cells = tuple[Cell, ...]
GUTTER = 2  # the cursor's sign and the mark
NEAR = 60  # rows from the edge of the window at which others are asked for


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

    @dataclass
    class Wanted(Message):
        """The person comes to rows that are not here."""

        rows: Rows
        middle: int  # the row around which they are wanted

    def __init__(
        self, columns: Sequence[Column], *, id: str, empty: str = "", head: bool = True, steady: bool = False
    ) -> None:
        """`steady`: a column that has shown something once keeps its place."""
        super().__init__(id=id)
        self._columns = columns
        self._rows: list[tuple[str, Cells]] = []
        self._first = 0  # the place of the first of them in the whole list
        self._total = 0  # the length of the whole list
        self._cursor = 0
        self._marked: dict[str, None] = {}  # keys, in the order in which they were marked
        self._follows_top = True  # until the person moves: new rows come in above
        self._fitted: list[tuple[int, int]] = []
        self._base = Style.null()  # the widget's own style, while it is painted
        self.empty = empty
        self.head = head
        self._steady, self._filled = steady, set[int]()
        self._kept: str | None = None  # the heading of a column that stays
        self._arrow = ""  # what stands behind it

    # -- what is shown

    def keep_column(self, heading: str, arrow: str = "") -> None:
        """The column that is sorted by stays, however narrow the table is; `arrow` says which way."""
        if (heading, arrow) != (self._kept, self._arrow):
            self._kept, self._arrow = heading, arrow
            self._fit()
            self.refresh()

    def show(self, rows: Sequence[tuple[str, Cells]], first: int = 0, total: int | None = None) -> None:
        """Take these rows, in this order; nothing is painted when they are the same.

        `first` is the place of the first of them in a list of `total` rows.
        """
        rows, total = list(rows), len(rows) if total is None else total
        if rows == self._rows and (first, total) == (self._first, self._total):
            return
        before, key, old, fitted_before = self._cursor, self.selected_key, self._rows, self._fitted
        same_place = (first, total) == (self._first, self._total)
        self._rows, self._first, self._total = rows, first, total
        self._cursor = 0 if self._follows_top else self._place(key, before)
        self._fit()
        moved_by = self._cursor - before
        if moved_by and self.scroll_offset.y:
            self.scroll_to(y=self.scroll_offset.y + moved_by, animate=False, force=True)
        self._keep_in_sight()
        if self._fitted == fitted_before and self._cursor == before and same_place and len(old) == len(rows):
            top = max(0, self.scroll_offset.y - first)
            seen = slice(top, top + self._window)
            blank = [None] * self.head
            refresh_lines(self, [*blank, *old[seen]], [*blank, *rows[seen]])
        else:
            self.refresh()
        if self.selected_key != key:
            self.post_message(self.Moved(self))
        self._ask_for_more()

    def _ask_for_more(self) -> None:
        """What is seen, and what would be seen soon, should be here."""
        top, end = self.scroll_offset.y, self._first + len(self._rows)
        lacks_above = self._first > 0 and top < self._first + NEAR
        lacks_below = end < self._total and top + self._window > end - NEAR
        if lacks_above or lacks_below:
            self.post_message(self.Wanted(self, top))

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._ask_for_more()

    def _place(self, key: str | None, before: int) -> int:
        """Where the row of the cursor is now; where it was if it is gone."""
        for index, (other, _) in enumerate(self._rows, self._first):
            if other == key:
                return index
        return max(0, min(before, self._total - 1))

    @property
    def row_count(self) -> int:
        return self._total

    @property
    def cursor(self) -> int:
        return self._cursor

    @property
    def selected_key(self) -> str | None:
        """The key of the row under the cursor."""
        row = self._row_at(self._cursor)
        return None if row is None else row[0]

    def _row_at(self, index: int) -> tuple[str, Cells] | None:
        """The row at that place of the whole list; None where there is none, or none is here yet."""
        place = index - self._first
        return self._rows[place] if 0 <= place < len(self._rows) else None

    # -- marking

    @property
    def marked(self) -> tuple[str, ...]:
        """The keys of the rows that the person has marked, wherever they are in the list."""
        return tuple(self._marked)

    def mark(self) -> None:
        """Mark the row under the cursor, or take its mark off; the cursor goes on to the next."""
        key = self.selected_key
        if key is not None:
            if key in self._marked:
                del self._marked[key]
            else:
                self._marked[key] = None
            self.refresh()
            self.move("down")

    def keep_marks(self, keys: Collection[str] = ()) -> None:
        """Only these keep their mark."""
        kept = {key: None for key in self._marked if key in keys}
        if len(kept) < len(self._marked):
            self._marked = kept
            self.refresh()

    # -- moving

    def move(self, where: str) -> None:
        """down, up, first or last."""
        last = self._total - 1
        to = {"down": self._cursor + 1, "up": self._cursor - 1, "first": 0, "last": last}[where]
        self.move_to(to)
        self._follows_top = where == "first" or (self._follows_top and not self._rows)

    def move_to(self, index: int) -> None:
        index = max(0, min(index, self._total - 1))
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

    def hold(self) -> None:
        """The cursor stays with the row that the person does something with, wherever it goes."""
        self._follows_top = False

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
        if top > (lowest := max(0, self._total - self._window)):  # the list has become shorter
            self.scroll_to(y=lowest, animate=False, force=True)
            top = lowest
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False, force=True)
        elif self._cursor >= top + self._window:
            self.scroll_to(y=self._cursor - self._window + 1, animate=False, force=True)

    def on_click(self, event: Click) -> None:
        index = event.y - self.head + self.scroll_offset.y
        if 0 <= index < self._total:
            self.move_to(index)
            if event.chain == 2:
                self.post_message(self.Opened(self))

    # -- painting

    def on_resize(self, _: Resize) -> None:
        self._fit()
        self._keep_in_sight()

    def _fit(self) -> None:
        width = self.scrollable_content_region.width or self.size.width
        says = {i for i in range(len(self._columns)) if any(_says(cells[i]) for _, cells in self._rows)}
        if self._steady:
            self._filled |= says
            says = self._filled
        empty = frozenset(range(len(self._columns))) - says
        columns = [self._as_kept(one) if one.heading == self._kept else one for one in self._columns]
        self._fitted = fitted(columns, width - GUTTER, empty if self._rows else frozenset())
        self.virtual_size = Size(width, self._total + self.head)

    def _as_kept(self, column: Column) -> Column:
        room = cell_len(column.heading + self._arrow) if self._arrow else 0
        return replace(column, rank=-1, above=0, width=max(column.width, room))

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def render_lines(self, crop: Region) -> list[Strip]:
        self._base = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        index = y - self.head + self.scroll_offset.y
        if self.head and y == 0:
            strip = self._head()
        elif (row := self._row_at(index)) is not None:
            strip = self._row(index, *row)
        elif 0 <= index < self._total:  # on its way
            strip = Strip(segments(self, [Said("  …", Tone.DIM)], base=self._base))
        elif not self._rows and y == self.head:
            strip = Strip(segments(self, [Said("  " + fit(self.empty, width - GUTTER), Tone.DIM)], base=self._base))
        else:
            strip = Strip([])
        return strip.adjust_cell_length(width, self._base)

    def _head(self) -> Strip:
        gap = " " * GAP
        columns = [(self._columns[i], width) for i, width in self._fitted]
        words = [
            fit(one.heading + self._arrow * (one.heading == self._kept), width, one.right) for one, width in columns
        ]
        style = self._base + self.get_component_rich_style("rows--head", partial=True)
        return Strip([Segment(" " * GUTTER + gap.join(words), style)])

    def _row(self, index: int, key: str, cells: Cells) -> Strip:
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
        sign = Said("▌" if at_cursor and self.has_focus else " ", Tone.LIVE)
        mark = Said("*" if key in self._marked else " ", Tone.WARN)
        name = "rows--cursor" if self.has_focus else "rows--cursor-away"
        over = self.get_component_rich_style(name, partial=True) if at_cursor else None
        painted = segments(self, [sign, mark, *line], over, self._base)
        width = self.scrollable_content_region.width
        style = self._base + over if over is not None else self._base
        return Strip(painted).adjust_cell_length(width, style)


def _says(cell: Cell) -> bool:
    return bool(cell.text) if isinstance(cell, Said) else cell is not None
