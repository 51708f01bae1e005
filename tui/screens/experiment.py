"""One experiment: what it claims, what its runs gave, its patch, its curve over the baseline's, and its story."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import Static
from textual_plotext import PlotextPlot

from orchestrator.branches import Repository
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.runs.log_text import inert
from orchestrator.store.reader import Reader
from orchestrator.store.records import Experiment, Run
from orchestrator.views import run_seconds
from tui.curves import read_curve
from tui.present import difference, score, state_text
from tui.screens.text import LogScreen, coloured_diff

LOOK_SECONDS = 1.0


class ExperimentScreen(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "back"),
        Binding("l", "log", "log"),
        Binding("d", "to_diff", "diff"),
        Binding("j", "line(1)", show=False),
        Binding("k", "line(-1)", show=False),
        Binding("g", "end(False)", show=False),
        Binding("G", "end(True)", show=False),
    ]

    def __init__(self, lab: Lab, reader: Reader, experiment_id: int, at_diff: bool = False) -> None:
        super().__init__()
        self._lab = lab
        self._reader = reader
        self._experiment_id = experiment_id
        self._at_diff = at_diff
        self._runs: list[Run] = []
        self._curve_size = -1
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield Static("", classes="heading")
        with VerticalScroll(id="story"):
            yield Static("", id="facts")
            yield PlotextPlot(id="curve")
            yield Static("", id="runs")
            yield Static("", id="patch")
            yield Static("", id="events")
        yield Static("esc back  l log  d patch  j k g G move  p pause  x stop  K kill  r requeue", classes="footer")

    async def on_mount(self) -> None:
        await self._look()
        self.set_interval(LOOK_SECONDS, self._look)
        self.query_one("#story").focus()
        if self._at_diff:
            self.call_after_refresh(self.action_to_diff)

    @property
    def experiment_id(self) -> int:
        return self._experiment_id

    async def _look(self) -> None:
        experiment = await self._reader.experiment(self._experiment_id)
        if experiment is None:
            self.query_one(".heading", Static).update(f"There is no experiment {self._experiment_id}.")
            return
        self._runs = await self._reader.runs_of(self._experiment_id)
        await self._draw_curve(experiment)
        events = await self._reader.events(experiment_id=self._experiment_id)
        shown = (experiment, tuple(self._runs), len(events))
        if shown == self._shown:
            return
        self._shown = shown
        self.query_one(".heading", Static).update(
            Text(f"experiment {experiment.label}  {experiment.title}  {state_text(experiment.state)}")
        )
        self.query_one("#facts", Static).update(_facts(experiment))
        self.query_one("#runs", Static).update(_runs_table(self._runs))
        self.query_one("#events", Static).update(
            Text("\n".join(["story", *(f"  {e.at[:19]}  {e.actor}: {inert(e.reason)}" for e in events)]))
        )
        self.query_one("#patch", Static).update(await self._patch(experiment))

    async def _patch(self, experiment: Experiment) -> Text:
        if experiment.parent is None or experiment.commit_id is None:
            return Text("no patch yet" if experiment.id else "the starting point has no patch")
        try:
            repository = await asyncio.to_thread(Repository.open, self._lab.root)
            return coloured_diff(await asyncio.to_thread(repository.diff, experiment.parent, experiment.commit_id))
        except LabError as error:
            return Text(str(error))

    async def _draw_curve(self, experiment: Experiment) -> None:
        plot = self.query_one("#curve", PlotextPlot)
        plot.display = bool(self._runs)
        if not self._runs:
            return
        newest = self._runs[-1]
        curve = read_curve(self._lab.run_directory(newest.id) / "metrics.jsonl")
        if len(curve) == self._curve_size:
            return
        self._curve_size = len(curve)
        plt = plot.plt
        plt.clear_data()
        plt.clear_figure()
        base = await self._baseline_run(experiment, newest.seed)
        if base is not None:
            under = read_curve(self._lab.run_directory(base.id) / "metrics.jsonl")
            if under:
                plt.plot(
                    [100 * x for x, _ in under], [y for _, y in under], marker="braille", color="gray", label="baseline"
                )
        if curve:
            label = f"run {newest.id}, seed {newest.seed}"
            plt.plot([100 * x for x, _ in curve], [y for _, y in curve], marker="braille", color="cyan", label=label)
        plt.title("training loss over the budget (%)")
        plot.refresh()

    async def _baseline_run(self, experiment: Experiment, seed: int) -> Run | None:
        row = await self._reader.row(
            "SELECT runs.id FROM runs JOIN masters ON masters.experiment_id = runs.experiment_id"
            " WHERE masters.commit_id = ? AND runs.val_bpb IS NOT NULL"
            " ORDER BY runs.seed = ? DESC, runs.id DESC LIMIT 1",
            (experiment.parent, seed),
        )
        return None if row is None else await self._reader.run(row["id"])

    def action_log(self) -> None:
        if not self._runs:
            self.notify("This experiment has not run yet.")
            return
        run = self._runs[-1]
        self.app.push_screen(
            LogScreen(f"experiment {self._experiment_id}, run {run.id}", self._lab.run_directory(run.id) / "log")
        )

    def action_to_diff(self) -> None:
        self.query_one("#story", VerticalScroll).scroll_to_widget(self.query_one("#patch"), top=True, animate=False)

    def action_line(self, by: int) -> None:
        self.query_one("#story").scroll_relative(y=by, animate=False)

    def action_end(self, bottom: bool) -> None:
        story = self.query_one("#story")
        story.scroll_end(animate=False) if bottom else story.scroll_home(animate=False)


def _facts(experiment: Experiment) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    rows = (
        ("state", f"{experiment.state.value}: {experiment.reason}"),
        ("val_bpb", f"{score(experiment.val_bpb)}  {difference(experiment.delta)} against its baseline"),
        ("hypothesis", experiment.hypothesis),
        ("source", experiment.source),
        ("variable", experiment.variable),
        ("edit", experiment.edit),
        ("by", f"{experiment.author}  {experiment.team}  patch by {experiment.role_model or 'a person'}"),
        (
            "branch",
            f"{experiment.branch or '-'}  {(experiment.commit_id or '')[:9]} on {(experiment.parent or '-')[:9]}",
        ),
    )
    for name, value in rows:
        if value.strip():
            table.add_row(name, Text(inert(value)))
    return table


def _runs_table(runs: list[Run]) -> Table | Text:
    if not runs:
        return Text("no runs yet")
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("run", "kind", "seed", "slot", "outcome", "val_bpb", "steps", "seconds", "why"):
        table.add_column(heading, no_wrap=heading != "why")
    for run in runs:
        seconds = run_seconds(run)
        table.add_row(
            str(run.id),
            str(run.kind),
            str(run.seed),
            run.slot,
            run.outcome or "under way",
            score(run.val_bpb),
            "-" if run.steps is None else str(run.steps),
            "-" if seconds is None else f"{seconds:.0f}",
            Text(inert(run.reason)),
        )
    return table
