"""One experiment in four pages: its story (claim, runs, curve, timeline), its patch, what agents say of it, its log."""

from __future__ import annotations

import asyncio
import contextlib
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
from orchestrator.marks import score_mark
from orchestrator.papers.paper import arxiv_ids
from orchestrator.review.citing import Cited, require_paper
from orchestrator.review.voices import voices_of
from orchestrator.runs.log_text import read_lines
from orchestrator.store.reader import Reader
from orchestrator.store.records import Experiment, Run
from orchestrator.store.states import ENDED, State
from orchestrator.store.vault import vault_scores
from orchestrator.vault_words import vault_word
from orchestrator.views import unsandboxed
from tui.chart import Series, Shape
from tui.curves import CurveFile
from tui.diffs import coloured_diff
from tui.panes.line import OneLine
from tui.panes.plot import Chart
from tui.panes.reading import Reading, lines_of
from tui.panes.tail import Tail
from tui.present import difference, plain, score, standing
from tui.screens.dialogs import Ask
from tui.screens.room import RoomScreen
from tui.screens.text import not_found
from tui.split_diff import split_diff
from tui.story import attempts_before, facts_table, runs_table, timeline
from tui.tones import Line, Said, Tone, fit
from tui.voices import voice_lines

LOOK_SECONDS = 1.0
TWO_PAGES = 150  # columns from which another page stands beside the story
PAGES = ("story", "patch", "words", "run-log")
NO_RUN = -1
TABS = ("story", "patch", "words", "log")


class ExperimentScreen(RoomScreen):
    FOOTER: ClassVar[tuple[str, ...]] = (
        *(
            "back",
            "next_pane",
            "log",
            "diff",
            "side_by_side",
            "paper",
            "edit_requeue",
            "requeue",
            "pause_run",
            "stop_run",
            "kill",
        ),
        *("filter", "raise", "lower", "copy", "command_line", "help"),
    )

    def __init__(self, lab: Lab, reader: Reader, experiment_id: int, at_diff: bool = False) -> None:
        super().__init__()
        self._lab = lab
        self._reader = reader
        self._experiment_id = experiment_id
        self._page = "patch" if at_diff else "story"
        self._beside = "patch"  # the page that stands beside the story where there is room
        self._log: tuple[int, int | None] | None = None  # the run whose log is shown, and how far it was read
        self._diff: str | Text = ""  # the patch, or why there is none
        self._split = False  # whether the diff is side by side
        self._paper: Cited | None = None
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
        yield OneLine(self._tabs, classes="tabs")
        with Horizontal(id="pages"):
            with VerticalScroll(id="story"):
                yield Static("", id="facts")
                yield Chart(id="curve")
                yield Static("", id="runs")
                yield Static("", id="events")
            yield Reading(id="patch")
            yield Reading(id="words")
            yield Tail(id="run-log", wrap=True)
        yield self.footer()

    async def on_mount(self) -> None:
        self.set_interval(LOOK_SECONDS, self._look)
        self._turn_to(self._page)
        await self._look()

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < TWO_PAGES, "small")
        self._turn_to(self._page)

    def on_reading_resized(self, event: Reading.Resized) -> None:
        if self._split and event.reading.id == "patch":
            self._draw_patch()

    def _turn_to(self, page: str) -> None:
        """The story and another page side by side where there is room, else the one at hand."""
        self._page = page
        self._beside = page if page != "story" else self._beside
        for name in PAGES:
            self.query_one(f"#{name}").display = name == page or (
                not self.has_class("small") and name in ("story", self._beside)
            )
        self.query_one(f"#{page}").focus()
        self.query_one(".tabs", OneLine).tell()
        self._listen()

    def _heading(self, width: int) -> Line:
        experiment = self._experiment
        if experiment is None:
            return [Said(f"experiment {self._experiment_id}", Tone.STRONG)]
        state = standing(experiment).text
        numbers = f"{score(experiment.val_bpb)}  {difference(experiment.delta)}".strip() if experiment.val_bpb else ""
        name = fit(f"{experiment.label}  {plain(experiment.title)}", width - len(state) - len(numbers) - 6)
        tone = standing(experiment).tone
        return [Said(name, Tone.STRONG), Said(f"  {state}", tone), Said(f"  {numbers}")]

    def _tabs(self, width: int) -> Line:
        """The pages, the one at hand standing out."""
        said: list[Said] = []
        for number, (name, tab) in enumerate(zip(PAGES, TABS, strict=True), 1):
            said += [Said("   ")] * bool(said) + [
                Said(f"{number} {tab}", Tone.STRONG if name == self._page else Tone.DIM)
            ]
        return said

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
        self._listen()
        vault, scores = await vault_word(self._reader, experiment), await vault_scores(self._reader)
        shown = (experiment, tuple(self._runs), len(events), vault)
        if shown == self._shown:
            return
        old = self._experiment
        self._shown, self._experiment = shown, experiment
        colours = self.app.theme_variables
        self.query_one(".heading", OneLine).tell()
        self._paper = await self._cited(experiment)
        self.query_one(".footer", OneLine).tell()
        lesson = next((event.reason for event in reversed(events) if event.kind == LESSON), "")
        self.query_one("#facts", Static).update(
            facts_table(
                experiment,
                colours,
                vault,
                unsandboxed(experiment, self._runs),
                lesson,
                self._paper,
                await score_mark(self._reader),
                attempts_before(experiment, self._runs),
            )
        )
        self.query_one("#runs", Static).update(runs_table(self._runs, colours, scores))
        self.query_one("#events", Static).update(timeline(events, colours))
        if old is None or (old.parent, old.commit_id) != (experiment.parent, experiment.commit_id):
            self.run_worker(self._show_patch(experiment), exclusive=True, group="patch")
        self.run_worker(self._show_words(experiment), exclusive=True, group="words")

    async def _show_patch(self, experiment: Experiment) -> None:
        self._diff = await asyncio.to_thread(self._patch, experiment)
        self._draw_patch()

    def _draw_patch(self) -> None:
        colours, page = self.app.theme_variables, self.query_one("#patch", Reading)
        if isinstance(self._diff, Text):
            text = self._diff
        elif self._split:
            text = split_diff(self._diff, colours, page.scrollable_content_region.width)
        else:
            text = coloured_diff(self._diff, colours)
        page.show(lines_of(text))

    async def _show_words(self, experiment: Experiment) -> None:
        with contextlib.suppress(LabError):
            voices = await voices_of(self._reader, experiment)
            self.query_one("#words", Reading).show(voice_lines(voices, self.app.theme_variables), stay=True)

    @property
    def offered(self) -> tuple[str, ...]:
        return self.FOOTER if self._paper is not None else tuple(name for name in self.FOOTER if name != "paper")

    async def _cited(self, experiment: Experiment) -> Cited | None:
        """The paper that the experiment names first, if it names one."""
        ids = arxiv_ids(experiment.source)
        return await require_paper(self._reader, ids[0]) if ids else None

    def _listen(self) -> None:
        """Take in what the newest run's log has got, while it is on the screen."""
        tail = self.query_one("#run-log", Tail)
        if not tail.display:
            return
        if not self._runs:
            if self._log is None:
                self._log = (NO_RUN, None)
                tail.add(["It has not run yet: there is no log."])
            return
        run = self._runs[-1].id
        if self._log is None or self._log[0] != run:
            tail.clear()
            self._log = (run, None)
        piece = read_lines(self._lab.run_directory(run) / "log", self._log[1])
        self._log = (run, piece.offset)
        tail.add(piece.lines)

    def _patch(self, experiment: Experiment) -> str | Text:
        colours = self.app.theme_variables
        if experiment.parent is None or experiment.commit_id is None:
            if experiment.patch:
                return experiment.patch
            missing = "No patch yet: a worker writes it when the experiment's turn comes."
            if experiment.state is State.PROMOTED:
                return Text("Master began with it: there is nothing that it changed.", style=colours["dim"])
            ended = f"It ended without a patch: {experiment.state.replace('_', ' ')}."
            return Text(ended if experiment.state in ENDED else missing, style=colours["dim"])
        try:
            diff = Repository(self._lab.root).diff(experiment.parent, experiment.commit_id)
        except LabError as error:
            return Text(str(error), style=colours["warn"])
        return diff if diff.strip() else Text("The patch changes nothing.")

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

    @property
    def _shown_page(self) -> VerticalScroll | Reading | Tail:
        found = self.query_one(f"#{self._page}")
        assert isinstance(found, VerticalScroll | Reading | Tail)
        return found

    def view(self, name: str, key: str) -> bool:
        page, place = self._shown_page, PAGES.index(self._page)
        match name:
            case "back" | "leave":
                self.dismiss()
            case "next_pane" | "previous_pane":
                self._turn_to(PAGES[(place + (1 if name == "next_pane" else -1)) % len(PAGES)])
            case "pane" if key in ("1", "2", "3", "4"):
                self._turn_to(PAGES[int(key) - 1])
            case "diff":
                self._turn_to("patch")
            case "side_by_side":
                self._split = not self._split
                self._turn_to("patch")
                self._draw_patch()  # and again when the page has its width
            case "down" | "up" | "first" | "last" if isinstance(page, Reading | Tail):
                page.move(name)
            case "down" | "up":
                page.scroll_relative(y=1 if name == "down" else -1, animate=False, immediate=True)
            case "first":
                page.scroll_home(animate=False, immediate=True)
            case "last":
                page.scroll_end(animate=False, immediate=True)
            case "wrap" | "follow" if isinstance(page, Tail):
                page.toggle_wrap() if name == "wrap" else page.move("up" if page.follows else "last")
            case "filter":
                self.app.push_screen(Ask("/", "", f"searches the {TABS[place]}; n next, N previous"), self._search)
            case "next_match" | "previous_match":
                self._find(1 if name == "next_match" else -1)
            case _:
                return False
        return True

    def _search(self, needle: str | None) -> None:
        """In the page at hand; the story, which is short and drawn, hands it on to the patch."""
        if needle is None:
            return
        if self._page == "story":
            self._turn_to("patch")
        page = self._shown_page
        assert isinstance(page, Reading | Tail)
        page.search(needle)
        if needle:
            self._find(-1 if isinstance(page, Tail) else 1)

    def _find(self, step: int) -> None:
        page = self._shown_page
        if not isinstance(page, Reading | Tail):
            self.notify("Nothing is searched for yet: / asks for a text.")
        elif page.find(step) in (None, False):
            self.notify(not_found(page.needle), markup=False)
