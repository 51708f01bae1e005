"""The strip on top: is the lab healthy, what is the best score, what changed last."""

from __future__ import annotations

from typing import ClassVar

from textual.strip import Strip
from textual.widget import Widget

from orchestrator.lab import Lab
from orchestrator.store.records import seconds_since
from tui.health import Health, first_line, second_line
from tui.tones import TONE_CLASSES, Line, refresh_lines, segments
from tui.watch import Snapshot, heartbeat


class HealthStrip(Widget, can_focus=True):
    """Two lines, repainted only when they differ; `enter` expands what changed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(TONE_CLASSES)

    def __init__(self, lab: Lab, read_only: bool) -> None:
        super().__init__(id="health")
        self._lab, self._read_only = lab, read_only
        self._snapshot: Snapshot | None = None
        self._lines: tuple[Line, ...] = ()

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self.tick()

    def tick(self) -> None:
        """Time passes: ages grow without anything being written."""
        if self._snapshot is None:
            return
        snapshot, story, width = self._snapshot, self._snapshot.story, self.content_size.width
        health = Health(
            alive=snapshot.daemon is not None,
            quiet_seconds=self._quiet(snapshot),
            paused=story.paused,
            baseline=story.baseline,
            slots=snapshot.slots,
            runs_per_hour=story.runs_per_hour,
            tokens=snapshot.tokens,
            last=story.last_event,
            place=self._lab.root.name,
            profile=story.profile,
            stopping=story.stopping,
            resting=story.resting,
            halted=story.halted,
            silent=story.silent,
            read_only=self._read_only,
            money=snapshot.money,
            orders=len(snapshot.orders),
            ending=snapshot.ending,
            changes=story.changes,
            gone=not self._lab.root.is_dir(),
        )
        lines = (first_line(health, width), second_line(health, width, self.has_focus))
        if lines != self._lines:
            old, self._lines = self._lines, lines
            refresh_lines(self, old, lines)

    def _quiet(self, snapshot: Snapshot) -> float:
        """Seconds since the daemon was heard last: it wrote something, or gave its sign of life."""
        heard = [at for at in (snapshot.heard_at, heartbeat(self._lab)) if at is not None]
        return seconds_since(max(heard)) if heard else 0.0

    def on_resize(self) -> None:
        self.tick()

    def watch_has_focus(self, has_focus: bool) -> None:
        super().watch_has_focus(has_focus)
        self.tick()

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        line = self._lines[y] if y < len(self._lines) else []
        return Strip(segments(self, line)).adjust_cell_length(width, self.rich_style)
