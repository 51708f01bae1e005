"""The lab's papers, and one of them: its abstract, and the experiments that name it, with what came of each."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import DescendantFocus

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.review.citing import Cited, papers_of, require_paper
from orchestrator.store.reader import Reader
from tui.panes.line import OneLine
from tui.panes.reading import Reading
from tui.panes.rows import Rows
from tui.papers import CITING_COLUMNS, PAPER_COLUMNS, citing_cells, heading, paper_cells, paper_lines
from tui.present import plain
from tui.screens.dialogs import Ask
from tui.screens.room import RoomScreen
from tui.screens.text import not_found
from tui.tones import Line, Said, Tone, fit

LOOK_SECONDS = 2.0


class PapersScreen(RoomScreen):
    """All of them, the most cited first."""

    FOOTER: ClassVar[tuple[str, ...]] = ("back", "open", "filter", "first", "last", "command_line", "help")

    def __init__(self, lab: Lab, reader: Reader) -> None:
        super().__init__()
        self._lab, self._reader = lab, reader
        self._papers: list[Cited] = []
        self._search = ""
        self._version: int | None = None

    def compose(self) -> ComposeResult:
        yield OneLine(self._heading, classes="heading")
        yield Rows(PAPER_COLUMNS, id="papers", empty="reading")
        yield self.footer()

    async def on_mount(self) -> None:
        self._list.focus()
        self._list.add_class("current")
        self.set_interval(LOOK_SECONDS, self._look)
        await self._look()

    @property
    def _list(self) -> Rows:
        return self.query_one("#papers", Rows)

    @property
    def _found(self) -> list[Cited]:
        return [one for one in self._papers if self._search in f"{one.id} {one.title} {one.outcome}".lower()]

    def _heading(self, width: int) -> Line:
        return heading(self._found, self._search, len(self._papers), width)

    async def _look(self) -> None:
        try:
            version = await self._reader.data_version()
            if version == self._version or not (self.is_current or self._version is None):
                return
            self._papers, self._version = await papers_of(self._reader), version
        except LabError as error:
            self._list.empty = str(error)
        self._show()

    def _show(self) -> None:
        nothing = "No paper is known yet: agents look them up, and experiments name them as their source."
        self._list.empty = "no paper matches the filter; esc clears it" if self._search else nothing
        self._list.show([(one.id, paper_cells(one)) for one in self._found])
        self._list.refresh()
        self.query_one(".heading", OneLine).tell()

    def on_rows_opened(self, _: Rows.Opened) -> None:
        self._open()

    def _open(self) -> None:
        if self._list.selected_key is not None:
            self.app.push_screen(PaperScreen(self._lab, self._reader, self._list.selected_key))

    def view(self, name: str, key: str) -> bool:
        match name:
            case "back" if self._search:
                self._filter("")
            case "back" | "leave":
                self.dismiss()
            case "open" | "paper":
                self._open()
            case "down" | "up" | "first" | "last":
                self._list.move(name)
            case "filter":
                self.app.push_screen(Ask("/", self._search, "filters the papers; empty shows all"), self._filter)
            case _:
                return False
        return True

    def _filter(self, text: str | None) -> None:
        if text is not None:
            self._search = text.strip().lower()
            self._show()


class PaperScreen(RoomScreen):
    FOOTER: ClassVar[tuple[str, ...]] = (
        *("back", "open", "next_pane", "filter", "next_match", "requeue", "copy", "command_line", "help"),
    )

    def __init__(self, lab: Lab, reader: Reader, words: str) -> None:
        """`words` hold the paper's arXiv id."""
        super().__init__()
        self._lab, self._reader, self._words = lab, reader, words
        self._paper: Cited | None = None

    def compose(self) -> ComposeResult:
        yield OneLine(self._heading, classes="heading")
        with Vertical(id="panes"):
            yield Reading(id="paper")
            yield Rows(CITING_COLUMNS, id="citing", empty="no experiment names this paper")
        yield self.footer()

    async def on_mount(self) -> None:
        self._citing.focus()
        self.set_interval(LOOK_SECONDS, self._look)
        await self._look()

    @property
    def _citing(self) -> Rows:
        return self.query_one("#citing", Rows)

    @property
    def _page(self) -> Reading:
        return self.query_one("#paper", Reading)

    @property
    def experiment_id(self) -> int | None:
        key = self._citing.selected_key
        return None if key is None else int(key)

    def _heading(self, width: int) -> Line:
        if self._paper is None:
            return [Said("paper", Tone.STRONG)]
        number = f"arXiv:{self._paper.id}"
        return [Said(number, Tone.STRONG), Said(fit(f"  {plain(self._paper.title)}", width - len(number)), Tone.DIM)]

    async def _look(self) -> None:
        try:
            paper = await require_paper(self._reader, self._words)
        except LabError as error:
            self._page.show([Text(str(error), self.app.theme_variables["warn"])])
            return
        if paper == self._paper:
            return
        known, self._paper = self._paper is not None, paper
        self.query_one(".heading", OneLine).tell()
        self._page.show(paper_lines(paper, self.app.theme_variables), stay=known)
        self._citing.show([(str(one.id), citing_cells(one)) for one in paper.experiments])
        self._citing.border_title = f"experiments from it {len(paper.experiments)}"

    def on_descendant_focus(self, _: DescendantFocus) -> None:
        self._citing.set_class(self._citing.has_focus, "current")

    def on_rows_opened(self, _: Rows.Opened) -> None:
        self._open()

    def _open(self) -> None:
        from tui.screens.experiment import ExperimentScreen

        if self.experiment_id is not None:
            self.app.push_screen(ExperimentScreen(self._lab, self._reader, self.experiment_id))

    def view(self, name: str, key: str) -> bool:
        reads = self._page.has_focus
        match name:
            case "back" | "leave":
                self.dismiss()
            case "open":
                self._open()
            case "next_pane" | "previous_pane":
                (self._citing if reads else self._page).focus()
            case "down" | "up" | "first" | "last":
                (self._page if reads else self._citing).move(name)
            case "filter":
                self.app.push_screen(Ask("/", "", "searches the abstract; n next, N previous"), self._find_first)
            case "next_match" | "previous_match":
                self._find(1 if name == "next_match" else -1)
            case "paper":
                pass  # here already
            case _:
                return False
        return True

    def _find_first(self, needle: str | None) -> None:
        if needle:
            self._page.search(needle)
            self._find(1)

    def _find(self, step: int) -> None:
        if not self._page.find(step):
            self.notify(not_found(self._page.needle), markup=False)
