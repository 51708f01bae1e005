"""Pane 3, the results: what came of every experiment, with the difference to its baseline."""

from __future__ import annotations

from tui.panes.rows import Rows
from tui.present import RESULT_COLUMNS, result_cells
from tui.watch import Snapshot


class Results(Rows):
    def __init__(self) -> None:
        super().__init__(RESULT_COLUMNS, id="results", empty="nothing has run yet")
        self.heading = "3 results"
        self._search = ""

    def take(self, snapshot: Snapshot) -> None:
        story = snapshot.story
        wish = story.wish
        if wish.search != self._search:  # orders go to marked rows: never to some that are filtered away
            self._search = wish.search
            self.keep_marks()
        self.empty = "no result matches the filter; esc clears it" if wish.search else "nothing has run yet"
        gains = story.baseline.gains
        rows = [(str(e.id), result_cells(e, story.result_runs.get(e.id, []), gains.get(e.id))) for e in story.results]
        self.show(rows, first=wish.first, total=story.matching)
        cut = story.matching < story.measured
        count = f"{story.matching} of {story.measured}" if cut else str(story.measured)
        search = f" /{wish.search}" if wish.search else ""
        order = "" if wish.sort == "id" and wish.descending else f"  by {wish.sort} {'↓' if wish.descending else '↑'}"
        self.heading = f"3 results{search} {count}{order}"

    @property
    def experiment_id(self) -> int | None:
        return None if self.selected_key is None else int(self.selected_key)
