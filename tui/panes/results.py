"""Pane 3, the results: what came of every experiment, with the difference to its baseline."""

from __future__ import annotations

from orchestrator.store.filters import EVERYTHING
from orchestrator.store.records import Experiment
from tui.panes.rows import Cells, Rows
from tui.present import RESULT_COLUMNS, result_cells
from tui.watch import Snapshot, Story

HEADINGS = {"error": "±"}
"""Columns by what they are sorted by, where that is another word."""


class Results(Rows):
    def __init__(self) -> None:
        super().__init__(RESULT_COLUMNS, id="results", empty="nothing has run yet")
        self.heading = "3 results"
        self._asked = EVERYTHING
        self._story: Story | None = None
        self._known: dict[int, tuple[object, Cells]] = {}
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
        self.empty = "no result matches the filter: 3, then esc, clears it" if asked.terms else "nothing has run yet"
        self._known = {e.id: self._row_of(e, story, teams) for e in story.results}
        rows = [(str(key), cells) for key, (_, cells) in self._known.items()]
        usual, arrow = wish.sort == "id" and wish.descending, "↓" if wish.descending else "↑"
        self.keep_column(HEADINGS.get(wish.sort, wish.sort), "" if usual else arrow)
        self.show(rows, first=wish.first, total=story.matching)
        cut = story.matching < story.measured
        count = f"{story.matching} of {story.measured}" if cut else str(story.measured)
        search = f" /{asked.text}" if asked.terms else ""
        order = "" if usual else f"  by {wish.sort} {arrow}"
        mark = f"  {story.baseline.mark}" if story.baseline.mark else ""
        self.heading = f"3 results{search} {count}{order}{mark}"

    def _row_of(self, experiment: Experiment, story: Story, teams: bool) -> tuple[object, Cells]:
        """What a row is made of, and its cells: those of before where it is the same."""
        runs, baseline = story.result_runs.get(experiment.id, []), story.baseline
        facts = (experiment, runs, baseline.gains.get(experiment.id), baseline.noise, teams, baseline.mark)
        known = self._known.get(experiment.id)
        return known if known is not None and known[0] == facts else (facts, result_cells(*facts))

    @property
    def experiment_id(self) -> int | None:
        return None if self.selected_key is None else int(self.selected_key)

    @property
    def run_id(self) -> int | None:
        """The newest run of the selected experiment."""
        runs = self._story.result_runs.get(self.experiment_id or 0, []) if self._story is not None else []
        return runs[-1].id if runs and self.selected_key is not None else None
