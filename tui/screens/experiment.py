"""One experiment: what it claims, what its runs gave, its curve over the baseline's, its story, and its patch."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.events import Resize
from textual.widgets import Static

from orchestrator.branches import Repository
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.lessons import LESSON
from orchestrator.store.reader import Reader
from orchestrator.store.records import Experiment, Run
from orchestrator.store.vault import vault_scores
from orchestrator.views import unsandboxed, vault_word
from tui.chart import Series, Shape
from tui.curves import CurveFile
from tui.diffs import coloured_diff
from tui.panes.line import OneLine
from tui.panes.plot import Chart
from tui.present import STATE_TONES, difference, plain, score, state_text
from tui.screens.room import RoomScreen
from tui.story import facts_table, runs_table, timeline
from tui.tones import Line, Said, Tone, fit

LOOK_SECONDS = 1.0
TWO_PAGES = 150  # columns from which the patch stands beside the story


class ExperimentScreen(RoomScreen):
    FOOTER: ClassVar[tuple[str, ...]] = (
        *("back", "next_pane", "log", "diff", "pause_run", "stop_run", "kill", "requeue", "raise", "lower"),
        *("copy", "command_line", "help"),
    )

    def __init__(self, lab: Lab, reader: Reader, experiment_id: int, at_diff: bool = False) -> None:
        super().__init__()
        self._lab = lab
        self._reader = reader
        self._experiment_id = experiment_id
        self._page = "patch" if at_diff else "story"
        self._experiment: Experiment | None = None
        self._runs: list[Run] = []
        self._curves: dict[int, CurveFile] = {}
        self._shown: tuple[object, ...] = ()

    @property
    def experiment_id(self) -> int:
        return self._experiment_id

    @property
    def shows_patch(self) -> bool:
        return self._page == "patch"

    def compose(self) -> ComposeResult:
        yield OneLine(self._heading, classes="heading")
        with Horizontal(id="pages"):
            with VerticalScroll(id="story"):
                yield Static("", id="facts")
                yield Chart(id="curve")
                yield Static("", id="runs")
                yield Static("", id="events")
            with VerticalScroll(id="patch"):
                yield Static("", id="diff")
        yield self.footer()

    async def on_mount(self) -> None:
        self.set_interval(LOOK_SECONDS, self._look)
        self._turn_to(self._page)
        await self._look()

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < TWO_PAGES, "small")
        self._turn_to(self._page)

    def _turn_to(self, page: str) -> None:
        """Both pages side by side where there is room, else the one at hand."""
        self._page = page
        for name in ("story", "patch"):
            self.query_one(f"#{name}").display = name == page or not self.has_class("small")
        self.query_one(f"#{page}").focus()

    def _heading(self, width: int) -> Line:
        experiment = self._experiment
        if experiment is None:
            return [Said(f"experiment {self._experiment_id}", Tone.STRONG)]
        state = state_text(experiment.state)
        numbers = f"{score(experiment.val_bpb)}  {difference(experiment.delta)}".strip() if experiment.val_bpb else ""
        name = fit(f"{experiment.label}  {plain(experiment.title)}", width - len(state) - len(numbers) - 6)
        tone = STATE_TONES.get(experiment.state, Tone.PLAIN)
        return [Said(name, Tone.STRONG), Said(f"  {state}", tone), Said(f"  {numbers}")]

    # -- what is shown

    async def _look(self) -> None:
        try:
            experiment = await self._reader.experiment(self._experiment_id)
        except LabError:
            return
        if experiment is None:
            self.query_one("#facts", Static).update(f"There is no experiment {self._experiment_id}.")
            return
        self._runs = await self._reader.runs_of(self._experiment_id)
        events = await self._reader.events(experiment_id=self._experiment_id)
        await self._draw_curve(experiment)
        vault, scores = await vault_word(self._reader, experiment), await vault_scores(self._reader)
        shown = (experiment, tuple(self._runs), len(events), vault)
        if shown == self._shown:
            return
        old = self._experiment
        self._shown, self._experiment = shown, experiment
        colours = self.app.theme_variables
        self.query_one(".heading", OneLine).tell()
        lesson = next((event.reason for event in reversed(events) if event.kind == LESSON), "")
        self.query_one("#facts", Static).update(
            facts_table(experiment, colours, vault, unsandboxed(experiment, self._runs), lesson)
        )
        self.query_one("#runs", Static).update(runs_table(self._runs, colours, scores))
        self.query_one("#events", Static).update(timeline(events, colours))
        if old is None or (old.parent, old.commit_id) != (experiment.parent, experiment.commit_id):
            self.run_worker(self._show_patch(experiment), exclusive=True)

    async def _show_patch(self, experiment: Experiment) -> None:
        text = await asyncio.to_thread(self._patch, experiment)
        self.query_one("#diff", Static).update(text)

    def _patch(self, experiment: Experiment) -> Text:
        colours = self.app.theme_variables
        if experiment.parent is None or experiment.commit_id is None:
            if experiment.patch:
                return coloured_diff(experiment.patch, colours)
            return Text("No patch yet: a worker writes it when the experiment's turn comes.", style=colours["dim"])
        try:
            diff = Repository(self._lab.root).diff(experiment.parent, experiment.commit_id)
        except LabError as error:
            return Text(str(error), style=colours["warn"])
        return coloured_diff(diff, colours) if diff.strip() else Text("The patch changes nothing.")

    async def _draw_curve(self, experiment: Experiment) -> None:
        chart = self.query_one("#curve", Chart)
        newest = next((run for run in reversed(self._runs)), None)
        chart.display = newest is not None
        if newest is None:
            return
        own = self._curve(newest)
        base = await self._baseline_run(experiment, newest.seed)
        under = self._curve(base) if base is not None and base.id != newest.id else []
        chart.draw(
            [Series(under, Shape.LINE, Tone.DIM), Series(own, Shape.LINE, Tone.LIVE)],
            across=(0.0, 1.0),
            name=f"training loss of run {newest.id}"
            + (f" over the baseline's, run {base.id} (dim)" if base is not None and under else ""),
            percent=True,
            empty="no loss yet",
        )

    def _curve(self, run: Run) -> list[tuple[float, float]]:
        curve = self._curves.setdefault(run.id, CurveFile(self._lab.run_directory(run.id) / "metrics.jsonl"))
        curve.look()
        return curve.shown()

    async def _baseline_run(self, experiment: Experiment, seed: int) -> Run | None:
        """A scored run of the master that the experiment stands on, with the same seed if there is one."""
        row = await self._reader.row(
            "SELECT runs.id FROM runs JOIN baselines ON baselines.experiment_id = runs.experiment_id"
            " WHERE baselines.commit_id = ? AND runs.val_bpb IS NOT NULL"
            " ORDER BY runs.seed = ? DESC, runs.id DESC LIMIT 1",
            (experiment.parent, seed),
        )
        return None if row is None else await self._reader.run(row["id"])

    # -- keys

    def view(self, name: str, key: str) -> bool:
        page = self.query_one(f"#{self._page}", VerticalScroll)
        other = "patch" if self._page == "story" else "story"
        match name:
            case "back" | "leave":
                self.dismiss()
            case "next_pane" | "previous_pane":
                self._turn_to(other)
            case "pane" if key in ("1", "2"):
                self._turn_to("story" if key == "1" else "patch")
            case "diff":
                self._turn_to("patch")
            case "down" | "up":
                page.scroll_relative(y=1 if name == "down" else -1, animate=False)
            case "first":
                page.scroll_home(animate=False)
            case "last":
                page.scroll_end(animate=False)
            case _:
                return False
        return True
