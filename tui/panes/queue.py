"""Pane 4, the queue: what waits for a run, nearest to it first."""

from __future__ import annotations

from tui.panes.rows import Rows
from tui.waiting import QUEUE_COLUMNS, Line, queue_rows
from tui.watch import Snapshot


class Queue(Rows):
    def __init__(self) -> None:
        super().__init__(QUEUE_COLUMNS, id="queue", empty="nothing waits")
        self.heading = "4 queue"

    def take(self, snapshot: Snapshot) -> None:
        story, asked = snapshot.story, snapshot.story.wish.queue
        self.empty = "nothing that waits matches the filter: 4, then esc, clears it" if asked.terms else "nothing waits"
        self.keep_marks({str(e.id) for e in story.queue})  # what waits no more, or is not shown, has none
        at_rest = frozenset(
            a.team for a in snapshot.agents if a.role == "worker" and a.state == "idle" and not a.paused_by
        )
        line = Line(
            snapshot.daemon is not None,
            story.paused,
            story.baseline.runs,
            story.confirming,
            at_rest,
            snapshot.ending is not None,
            {order.arguments["id"]: order.verb for order in snapshot.orders if "id" in order.arguments},
        )
        self.show(queue_rows(story.queue, story.prepared, line))
        found = f"/{asked.text} {len(story.queue)} of " if asked.terms else ""
        order = f"  by {asked.sort} {'↓' if asked.descending else '↑'}" if asked.sort is not None else ""
        self.heading = f"4 queue {found}{story.waiting}{order}" + ("  paused" if story.paused else "")

    @property
    def experiment_id(self) -> int | None:
        return None if self.selected_key is None else int(self.selected_key)
