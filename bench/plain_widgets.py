"""The reference: the same rows and the same log in Textual's own DataTable and Log, as a first version would do it.

python bench/plain_widgets.py LAB
"""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.widgets import DataTable, Log

COLUMNS = ("id", "state", "val_bpb", "delta", "title", "reason")
LOOK_SECONDS = 0.1


class PlainWidgets(App[None]):
    CSS = "Log { width: 2fr; } DataTable { width: 3fr; }"

    def __init__(self, lab: Path) -> None:
        super().__init__()
        self._lab = lab
        self._log_file = (lab / ".autolab" / "agents" / "worker-1.log").open()

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Log()
            yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        table.add_columns(*COLUMNS)
        with sqlite3.connect(self._lab / "runs.db") as connection:
            chosen = f"SELECT {', '.join(COLUMNS)} FROM experiments WHERE id BETWEEN 1 AND 10000 ORDER BY id DESC"
            for row in connection.execute(chosen):
                table.add_row(*row, key=str(row[0]))
        table.focus()
        self.set_interval(LOOK_SECONDS, self._tail)

    def _tail(self) -> None:
        lines = self._log_file.read().splitlines()
        if lines:
            self.query_one(Log).write_lines(lines)

    def key_j(self) -> None:
        self.query_one(DataTable).action_cursor_down()

    def key_k(self) -> None:
        self.query_one(DataTable).action_cursor_up()


if __name__ == "__main__":
    PlainWidgets(Path(sys.argv[1])).run()
