"""Which picture the plot shows: what the person has chosen, of the run that they have selected."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.lab import Lab
from orchestrator.store.records import Experiment, Run
from tui.curves import CurveFile, Line
from tui.panes.plot import Plot
from tui.present import plain
from tui.watch import Story

BEST = "best score"
SERIES = (BEST, *map(str, Line))
MOST_FILES = 8


@dataclass(frozen=True, slots=True)
class Subject:
    """A run that could be drawn."""

    run: Run
    experiment: Experiment


class Plotting:
    """Draws into one plot; keeps the curves that it has followed."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._files: dict[int, CurveFile] = {}
        self.chosen = BEST
        self._drawn = BEST

    def next(self) -> None:
        """The series after the one that is seen."""
        self.chosen = SERIES[(SERIES.index(self._drawn) + 1) % len(SERIES)]

    def draw(self, plot: Plot, story: Story, subject: Subject | None, at_slots: bool) -> None:
        """The best score; while the person is in the slots, or before there is a score, the loss of the run there."""
        series = self.chosen
        if series == BEST and subject is not None and (at_slots or not story.points) and not story.baseline.mark:
            series = str(Line.LOSS)
        self._drawn = series
        if series == BEST:
            plot.show_best(story)
            return
        line = Line(series)
        if story.baseline.mark:
            plot.show_nothing(line, "a program of your own logs no curve, only its score is known")
            return
        if subject is None:
            plot.show_nothing(line)
            return
        run, base = subject.run, story.baseline_run
        under = self._curve(base, line) if base is not None and base != run.id else []
        title = (
            f"experiment {subject.experiment.label}, run {run.id}: {plain(subject.experiment.title)}, seed {run.seed}"
        )
        plot.show_curve(line, title, self._curve(run.id, line), under, f"master's run {base}")

    def _curve(self, run_id: int, line: Line) -> list[tuple[float, float]]:
        file = self._files.pop(run_id, None) or CurveFile(self._lab.run_directory(run_id) / "metrics.jsonl")
        self._files[run_id] = file  # the newest at the end
        while len(self._files) > MOST_FILES:
            del self._files[next(iter(self._files))]
        file.look()
        return file.shown(line)
