"""Pane 5, the plot: the best score over experiments, or the live loss of the run on the selected slot."""

from __future__ import annotations

from pathlib import Path

from textual_plotext import PlotextPlot

from tui.curves import read_curve
from tui.present import best_so_far
from tui.watch import Snapshot


class Plot(PlotextPlot):
    can_focus = True

    def __init__(self) -> None:
        super().__init__(id="plot")
        self.border_title = "5 best score"
        self._drawn: object = None

    def show_best(self, snapshot: Snapshot) -> None:
        """Every score as a point, master as a step line; lower is better."""
        facts = (tuple(snapshot.points), frozenset(snapshot.promoted))
        if facts == self._drawn:
            return
        self._drawn = facts
        self.border_title = (
            f"5 best score  {len(snapshot.points)} measured, {max(0, len(snapshot.promoted) - 1)} merged"
        )
        plt = self.plt
        plt.clear_data()
        plt.clear_figure()
        line = best_so_far(snapshot.points, snapshot.promoted)
        others = [(x, y) for x, y in snapshot.points if x not in snapshot.promoted]
        merged = [(x, y) for x, y in snapshot.points if x in snapshot.promoted]
        if line:
            plt.plot([x for x, _ in line], [y for _, y in line], marker="braille", color="green", label="master")
        if others:
            plt.scatter([x for x, _ in others], [y for _, y in others], marker="·", color="gray", label="not merged")
        if merged:
            plt.scatter([x for x, _ in merged], [y for _, y in merged], marker="+", color="green", label="merged")
        plt.xlabel("experiments, by outcome")
        self.refresh()

    def show_curve(self, title: str, path: Path) -> None:
        """The training loss of a run over its budget."""
        curve = read_curve(path)
        facts = (title, len(curve))
        if facts == self._drawn:
            return
        self._drawn = facts
        self.border_title = f"5 loss  {title}"
        plt = self.plt
        plt.clear_data()
        plt.clear_figure()
        if curve:
            plt.plot([100 * x for x, _ in curve], [y for _, y in curve], marker="braille", color="cyan")
        plt.xlabel("% of the budget")
        self.refresh()
