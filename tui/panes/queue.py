"""Pane 3, the queue: what waits for a run, nearest to it first."""

from __future__ import annotations

from rich.text import Text

from tui.panes.table import KeyedTable
from tui.present import state_text
from tui.watch import Snapshot


class Queue(KeyedTable):
    def __init__(self) -> None:
        super().__init__(
            (("id", 4), ("state", 10), ("prio", 4), ("title", 44), ("source", 60), ("why", 80)), id="queue"
        )
        self.border_title = "4 queue"

    def display_rows(self, snapshot: Snapshot) -> None:
        self.show(
            [
                (
                    str(e.id),
                    (
                        e.label,
                        state_text(e.state),
                        str(e.priority),
                        Text(e.title, no_wrap=True, overflow="ellipsis"),
                        Text(e.source, no_wrap=True, overflow="ellipsis"),
                        Text(e.reason, no_wrap=True, overflow="ellipsis"),
                    ),
                )
                for e in snapshot.queue
            ]
        )
        found = f"/{snapshot.wish.search}  {len(snapshot.queue)} of " if snapshot.wish.search else ""
        self.border_title = f"4 queue  {found}{snapshot.waiting}"

    @property
    def experiment_id(self) -> int | None:
        return None if self.selected_key is None else int(self.selected_key)
