"""The strip on top: is the lab healthy, what is the best score, what changed last."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from tui.present import health_lines
from tui.watch import Snapshot


class Health(Static):
    """Two lines, repainted only when they differ."""

    def __init__(self) -> None:
        super().__init__(id="health")
        self._lines = ("", "")

    def show(self, snapshot: Snapshot) -> None:
        lines = health_lines(
            alive=snapshot.daemon is not None,
            paused=snapshot.paused,
            baseline=snapshot.baseline,
            slots=snapshot.slots,
            runs_per_hour=snapshot.runs_per_hour,
            tokens=snapshot.tokens,
            last=snapshot.last_event,
            width=max(20, self.size.width - 2),
        )
        if lines != self._lines:
            self._lines = lines
            style = "bold" if snapshot.daemon is not None and not snapshot.paused else "bold yellow"
            self.update(Text.assemble((lines[0], style), "\n", (lines[1], "dim")), layout=False)
