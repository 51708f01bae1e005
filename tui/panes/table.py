"""A table whose rows are updated by key, so that the cursor and the scroll position stay where they are."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import DataTable

Cells = tuple[Text | str, ...]


class KeyedTable(DataTable[Text | str]):
    """Rows with keys; `show` changes only what differs."""

    def __init__(self, columns: Sequence[tuple[str, int | None]], *, id: str) -> None:
        """`columns`: heading and width (None: as wide as its content)."""
        super().__init__(id=id, cursor_type="row", zebra_stripes=False, header_height=1, cell_padding=1)
        self._wanted_columns = columns
        self._shown: dict[str, Cells] = {}

    def on_mount(self) -> None:
        for heading, width in self._wanted_columns:
            self.add_column(heading, width=width, key=heading)

    def show(self, rows: Sequence[tuple[str, Cells]]) -> None:
        """Bring the table to these rows, in this order."""
        keys = [key for key, _ in rows]
        if keys == list(self._shown):
            for key, cells in rows:
                if cells != self._shown[key]:
                    for (heading, _), old, new in zip(self._wanted_columns, self._shown[key], cells, strict=True):
                        if old != new:
                            self.update_cell(key, heading, new, update_width=False)
        else:
            self._rebuild(rows)
        self._shown = dict(rows)

    def _rebuild(self, rows: Sequence[tuple[str, Cells]]) -> None:
        selected, top = self.selected_key, self.scroll_y
        self.clear()
        for key, cells in rows:
            self.add_row(*cells, key=key)
        keys = [key for key, _ in rows]
        if selected in keys:
            self.move_cursor(row=keys.index(selected), scroll=False)
            self.scroll_to(y=top, animate=False)

    @property
    def selected_key(self) -> str | None:
        """The key of the row under the cursor."""
        keys = list(self._shown)
        return keys[self.cursor_row] if 0 <= self.cursor_row < len(keys) else None
