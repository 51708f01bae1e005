"""Pane 5, the plot: the best score over experiments, or a line of the selected run over the baseline's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.strip import Strip
from textual.widget import Widget

from orchestrator.store.states import State
from tui.chart import Point, Series, Shape, chart, value_range
from tui.curves import Line as Curves
from tui.present import SYMBOLS
from tui.promotions import believed_line, best_so_far, merged_of, promotion_labels
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
        self.heading = self.tab = "5 best score"
        self.subheading = ""
        self._story: Story | None = None

    def show_best(self, story: Story) -> None:
        """Every score as a point, master as a step line, and what of it is believed; lower is better."""
        if story is self._story:
            return
        self._story = story
        merged = merged_of(story.points, story.promoted)
        believed = believed_line(story.points, story.promoted, story.baseline.gains)
        self.tab = "5 best score"
        wins = story.baseline.promotions
        self.heading = f"{self.tab} {len(story.points)} measured, {wins} win{'s' * (wins != 1)}"
        unit = "score" if story.baseline.mark else "bits/byte"
        signs = f"{unit}  {SYMBOLS[State.PROMOTED]} merged  · not" + ("  ⠒ believed" if believed else "")
        self.subheading = signs if story.points else ""
        self.draw(
            [
                Series(story.points, Shape.SIGNS, Tone.DIM, "·"),
                Series(believed, Shape.DOTS, Tone.WARN),
                Series(best_so_far(story.points, story.promoted), Shape.STEP, Tone.GOOD),
                Series(
                    merged, Shape.SIGNS, Tone.STRONG, SYMBOLS[State.PROMOTED], promotion_labels(merged, story.promoted)
                ),
            ],
            across=(0, max(1, len(story.points) - 1)),
            name="outcomes",
            empty=" no score yet: the baseline comes first",
        )

    def show_curve(self, line: Curves, title: str, curve: Sequence[Point], under: Sequence[Point], base: str) -> None:
        """A line of a run over its budget, over that of the baseline (`base` names it)."""
        self._story = None
        self.tab = f"5 {line}"
        self.heading = f"{self.tab} {title}"
        now = f"{curve[-1][1]:,.0f}" if curve and line is Curves.SPEED else f"{curve[-1][1]:.4g}" if curve else ""
        self.subheading = "  ".join(part for part in (now, f"dim: {base}" if under else "") if part)
        self.draw(
            [Series(under, Shape.LINE, Tone.DIM), Series(curve, Shape.LINE, Tone.LIVE)],
            across=(0.0, 1.0),
            name="of the budget",
            percent=True,
            empty=f" nothing of it yet: a run logs its {line} as it trains",
        )

    def show_nothing(self, line: Curves, why: str = "select a run: a slot, or a result that has run") -> None:
        """There is no run whose line could be drawn."""
        self._story = None
        self.heading = self.tab = f"5 {line}"
        self.subheading = ""
        self.draw([], across=(0.0, 1.0), name="", empty=f" {why}; u goes on")
