"""Pane 3, the results: what came of every experiment, with the difference to its baseline."""

from __future__ import annotations

from orchestrator.store.filters import EVERYTHING
from tui.panes.rows import Rows
from tui.present import RESULT_COLUMNS, result_cells
from tui.watch import Snapshot, Story


class Results(Rows):
    def __init__(self) -> None:
        super().__init__(RESULT_COLUMNS, id="results", empty="nothing has run yet")
        self.heading = "3 results"
        self._asked = EVERYTHING
        self._story: Story | None = None
        self._teams = False  # whether several are at work

    def take(self, snapshot: Snapshot) -> None:
        story, teams = snapshot.story, len({agent.team for agent in snapshot.agents}) > 1
        if story is self._story and teams is self._teams:  # only a slot or an agent has changed
            return
        self._story, self._teams = story, teams
        wish, asked = story.wish, story.wish.results
        if asked != self._asked:  # orders go to marked rows: never to some that are filtered away
            self._asked = asked
            self.keep_marks()
        self.empty = "no result matches the filter; esc clears it" if asked.terms else "nothing has run yet"
        gains, noise, runs = story.baseline.gains, story.baseline.noise, story.result_runs
        rows = [(str(e.id), result_cells(e, runs.get(e.id, []), gains.get(e.id), noise, teams)) for e in story.results]
        self.show(rows, first=wish.first, total=story.matching)
        cut = story.matching < story.measured
        count = f"{story.matching} of {story.measured}" if cut else str(story.measured)
        search = f" /{asked.text}" if asked.terms else ""
        order = "" if wish.sort == "id" and wish.descending else f"  by {wish.sort} {'↓' if wish.descending else '↑'}"
        self.heading = f"3 results{search} {count}{order}"

    @property
    def experiment_id(self) -> int | None:
        return None if self.selected_key is None else int(self.selected_key)

    @property
    def run_id(self) -> int | None:
        """The newest run of the selected experiment."""
        runs = self._story.result_runs.get(self.experiment_id or 0, []) if self._story is not None else []
        return runs[-1].id if runs and self.selected_key is not None else None
