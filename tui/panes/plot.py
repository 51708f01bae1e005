"""Pane 5, the plot: the best score over experiments, or the live loss of the run on the selected slot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.strip import Strip
from textual.widget import Widget

from orchestrator.store.states import State
from tui.chart import Point, Series, Shape, chart, value_range
from tui.present import SYMBOLS, best_so_far
from tui.tones import TONE_CLASSES, Line, Said, Tone, fit, refresh_lines, segments
from tui.watch import Story


class Chart(Widget):
    """Draws series, and again only when they or the size have changed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(TONE_CLASSES)

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._series: list[Series] = []
        self._across = (0.0, 1.0)
        self._across_name = ""
        self._percent = False
        self._empty = ""
        self._lines: list[Line] = []
        self._drawn: object = None

    def draw(
        self,
        series: Sequence[Series],
        *,
        across: tuple[float, float],
        name: str,
        percent: bool = False,
        empty: str = "",
    ) -> None:
        self._series, self._across, self._across_name = [one for one in series if one.points], across, name
        self._percent, self._empty = percent, empty
        self._redraw()

    def _redraw(self) -> None:
        width, height = self.content_size
        facts = (
            width,
            height,
            self._across,
            self._across_name,
            self._empty,
            [(s.shape, tuple(s.points)) for s in self._series],
        )
        if facts == self._drawn or not width:
            return
        self._drawn = facts
        old = self._lines
        self._lines = [] if self._series else [[Said(fit(self._empty, width), Tone.DIM)]]
        if self._series:
            self._lines = chart(
                self._series,
                width,
                height,
                x_range=self._across,
                y_range=value_range(self._series, 0.97),
                x_text=(lambda x: f"{x:.0%}") if self._percent else (lambda x: f"{x:.0f}"),
                x_name=self._across_name,
            )
        refresh_lines(self, old, self._lines)

    def on_resize(self) -> None:
        self._redraw()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.content_size.width
        line = self._lines[y] if y < len(self._lines) else []
        return Strip(segments(self, line)).adjust_cell_length(width, self.rich_style)


class Plot(Chart, can_focus=True):
    def __init__(self) -> None:
        super().__init__(id="plot")
        self.heading = "5 best score"
        self.subheading = ""

    def show_best(self, story: Story) -> None:
        """Every score as a point, master as a step line; lower is better."""
        merged = [point for point in story.points if point[0] in story.promoted]
        others = [point for point in story.points if point[0] not in story.promoted]
        self.heading = f"5 best score {len(story.points)} measured, {max(0, len(merged) - 1)} merged"
        self.subheading = f"bits per byte  {SYMBOLS[State.PROMOTED]} merged  · not" if story.points else ""
        self.draw(
            [
                Series(others, Shape.SIGNS, Tone.DIM, "·"),
                Series(best_so_far(story.points, story.promoted), Shape.STEP, Tone.GOOD),
                Series(merged, Shape.SIGNS, Tone.STRONG, SYMBOLS[State.PROMOTED]),
            ],
            across=(0, max(1, len(story.points) - 1)),
            name="outcomes",
            empty=" no score yet: the baseline comes first",
        )

    def show_curve(self, title: str, curve: Sequence[Point]) -> None:
        """The training loss of a run over its budget."""
        self.heading = f"5 loss {title}"
        self.subheading = f"training loss {curve[-1][1]:.4f}" if curve else ""
        self.draw(
            [Series(curve, Shape.LINE, Tone.LIVE)],
            across=(0.0, 1.0),
            name="of the budget",
            percent=True,
            empty=" the run starts up: no loss yet",
        )
