"""Pane 4, the results: what came of every experiment, with the difference to its baseline."""

from __future__ import annotations

from rich.text import Text

from tui.panes.table import KeyedTable
from tui.present import COLOURS, difference, score, spread, state_text
from tui.watch import Snapshot


class Results(KeyedTable):
    def __init__(self) -> None:
        super().__init__(
            (("id", 4), ("state", 15), ("val_bpb", 7), ("delta", 7), ("±", 6), ("title", 44), ("why", 99)),
            id="results",
        )
        self.border_title = "3 results"

    def display_rows(self, snapshot: Snapshot) -> None:
        self.show(
            [
                (
                    str(e.id),
                    (
                        e.label,
                        Text(state_text(e.state), style=COLOURS.get(e.state, "")),
                        score(e.val_bpb),
                        Text(difference(e.delta), style="green" if e.delta is not None and e.delta < 0 else ""),
                        spread(snapshot.result_runs.get(e.id, [])),
                        Text(e.title, no_wrap=True, overflow="ellipsis"),
                        Text(e.reason, no_wrap=True, overflow="ellipsis"),
                    ),
                )
                for e in snapshot.results
            ]
        )
        search = f"  /{snapshot.wish.search}" if snapshot.wish.search else ""
        arrow = "↓" if snapshot.wish.descending else "↑"
        order = "" if snapshot.wish.sort == "id" and snapshot.wish.descending else f"  {snapshot.wish.sort} {arrow}"
        self.border_title = f"3 results{search}  {len(snapshot.results)}{order}"

    @property
    def experiment_id(self) -> int | None:
        return None if self.selected_key is None else int(self.selected_key)
