"""The strip on top: is the lab healthy, what is the best score, what changed last."""

from __future__ import annotations

from typing import ClassVar

from textual.strip import Strip
from textual.widget import Widget

from orchestrator.store.records import seconds_since
from tui.health import Health, first_line, second_line
from tui.tones import TONE_CLASSES, Line, refresh_lines, segments
from tui.watch import Snapshot


class HealthStrip(Widget):
    """Two lines, repainted only when they differ."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(TONE_CLASSES)

    def __init__(self, place: str, read_only: bool) -> None:
        super().__init__(id="health")
        self._place, self._read_only = place, read_only
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
            quiet_seconds=0.0 if snapshot.heard_at is None else seconds_since(snapshot.heard_at),
            paused=story.paused,
            baseline=story.baseline,
            slots=snapshot.slots,
            runs_per_hour=story.runs_per_hour,
            tokens=snapshot.tokens,
            last=story.last_event,
            place=f"{self._place} {story.profile}".strip(),
            stopping=story.stopping,
            read_only=self._read_only,
        )
        lines = (first_line(health, width), second_line(health, width))
        if lines != self._lines:
            old, self._lines = self._lines, lines
            refresh_lines(self, old, lines)

    def on_resize(self) -> None:
        self.tick()

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        line = self._lines[y] if y < len(self._lines) else []
        return Strip(segments(self, line)).adjust_cell_length(width, self.rich_style)
