"""Pane 4, the queue: what waits for a run, nearest to it first."""

from __future__ import annotations

from tui.panes.rows import Rows
from tui.present import QUEUE_COLUMNS, queue_cells
from tui.watch import Snapshot


class Queue(Rows):
    def __init__(self) -> None:
        super().__init__(QUEUE_COLUMNS, id="queue", empty="nothing waits")
        self.heading = "4 queue"

    def take(self, snapshot: Snapshot) -> None:
        story = snapshot.story
        self.empty = "nothing that waits matches the filter; esc clears it" if story.wish.search else "nothing waits"
        self.keep_marks({str(e.id) for e in story.queue})  # what waits no more, or is not shown, has none
        self.show([(str(e.id), queue_cells(e)) for e in story.queue])
        found = f"/{story.wish.search} {len(story.queue)} of " if story.wish.search else ""
        self.heading = f"4 queue {found}{story.waiting}" + ("  paused" if story.paused else "")

    @property
    def experiment_id(self) -> int | None:
        return None if self.selected_key is None else int(self.selected_key)
