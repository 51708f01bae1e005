"""`:`: a command of the command line, completed with tab, with what was given before under up and down."""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Label, Static

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.live_settings import as_toml, flat, is_live
from orchestrator.review.citing import papers_of
from orchestrator.settings import read_settings
from orchestrator.store.filters import COLUMNS, STATES, Kind
from orchestrator.store.reader import Reader
from orchestrator.store.states import State
from tui.commands import usage_of
from tui.completing import Known, Offer, no_way, offers
from tui.entry import HistoryEntry
from tui.present import plain
from tui.screens.typing import TypingScreen
from tui.tones import fit
from tui.typed_before import TypedBefore

SHOWN = 5
OPEN_ENDS = ("=", "~", "<")  # of a filter: its value comes next
_SIGNS = {Kind.TEXT: "~", Kind.STATE: "=", Kind.NUMBER: "<", Kind.AGE: "<"}
FILTERS = [f"{name}{_SIGNS[column.kind]}" for name, column in COLUMNS.items()] + [f"state={state}" for state in STATES]
MOST_EXPERIMENTS = 3000
HINT = "tab completes, up goes back; for example: kill 12, results muon, compare"


class CommandEntry(HistoryEntry):
    """Tab and arrows are about the whole line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "screen.complete(1)", "complete"),
        Binding("shift+tab", "screen.complete(-1)", "complete"),
    ]


class CommandLine(TypingScreen):
    """Dismissed with a line that is understood, or None when left with esc."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "cancel"),
    ]

    def __init__(
        self, lab: Lab, reader: Reader, before: TypedBefore, wrong: Callable[[str], str | None], begun: str = ""
    ) -> None:
        """`wrong` says what is the matter with a line: it stays then, to be mended."""
        super().__init__(before)
        self._lab, self._reader, self._wrong, self._begun = lab, reader, wrong, begun
        self._known = Known()
        self._history = before.history()
        self._offers: list[Offer] = []
        self._chosen: int | None = None  # which of them tab has put into the line

    def compose(self) -> ComposeResult:
        with Vertical(classes="ask"):
            yield Static("", classes="offers", markup=False)
            with Horizontal():
                yield Label(":", markup=False)
                yield CommandEntry(self._begun, compact=True, select_on_focus=False)
            yield Label(self._hint(self._begun), classes="hint", markup=False)

    async def on_mount(self) -> None:
        self._look()
        self._known = await self._learn()
        self._look()

    async def _learn(self) -> Known:
        """What there is to name in this lab now."""
        with contextlib.suppress(LabError):
            rows = await self._reader.rows(
                "SELECT id, title, state FROM experiments ORDER BY id DESC LIMIT ?", (MOST_EXPERIMENTS,)
            )
            branches = await self._reader.rows(
                "SELECT DISTINCT branch FROM experiments WHERE branch LIKE 'exp/%' ORDER BY id DESC LIMIT ?",
                (MOST_EXPERIMENTS,),
            )
            agents = await self._reader.agents()
            values = flat(await asyncio.to_thread(read_settings, self._lab.settings_file))
            return Known(
                experiments=[(row["id"], plain(row["title"]), State(row["state"])) for row in rows],
                agents=list(dict.fromkeys(word for one in agents for word in (one.name, one.role, one.team) if word)),
                settings={key: as_toml(value) for key, value in values.items() if is_live(key)},
                branches=["master", *(row["branch"] for row in branches)],
                papers=[(one.id, plain(one.title)) for one in await papers_of(self._reader)],
                files=await asyncio.to_thread(result_files, self._lab),
                filters=FILTERS,
                sorts=list(COLUMNS),
            )
        return Known()

    @property
    def _line(self) -> Input:
        return self.query_one(Input)

    def _look(self) -> None:
        self._offers, self._chosen = offers(self._line.value, self._known), None
        self._show()

    def _show(self) -> None:
        """A few of the ways on, the chosen one among them."""
        colours, first = self.app.theme_variables, max(0, (self._chosen or 0) - SHOWN + 1)
        text, room = Text(), max(10, self.size.width - 32)
        wide = max([22, *(len(offer.word) for offer in self._offers[first : first + SHOWN])])
        wide = min(wide, room)
        for place, offer in enumerate(self._offers[first : first + SHOWN], first):
            chosen = place == self._chosen
            text.append(f"{'▌' if chosen else ' '}{fit(offer.word, wide)}", colours["strong" if chosen else "live"])
            text.append(f"  {fit(plain(offer.about), max(10, room + 22 - wide))}\n", colours["dim"])
        more = len(self._offers) - first - SHOWN
        if more > 0:
            text.append(f"  and {more} more", colours["dim"])
        text.rstrip()
        self.query_one(".offers", Static).update(text)

    def _hint(self, line: str) -> str:
        return fit(usage_of(line) or HINT, max(10, self.app.size.width - 6))

    def on_input_changed(self, event: Input.Changed) -> None:
        self.keep(event.value.strip())
        self._say(self._hint(event.value))
        if self._chosen is None or event.value.rstrip() != self._offers[self._chosen].line:
            self._look()

    def action_complete(self, step: int) -> None:
        """Put the next way on into the line; a single one is taken, and the line goes on behind it."""
        if not self._offers:
            self.query_one(".offers", Static).update(
                Text(
                    f"  {no_way(self._line.value)}", self.app.theme_variables["warn"], no_wrap=True, overflow="ellipsis"
                )
            )
            return
        if len(self._offers) == 1:
            line = self._offers[0].line
            self._put(line if line.endswith(OPEN_ENDS) else f"{line} ")
            self._look()
            return
        self._chosen = (0 if step > 0 else -1) if self._chosen is None else self._chosen + step
        self._chosen %= len(self._offers)
        line = self._offers[self._chosen].line
        self._put(line if " " in line else f"{line} ")  # behind a verb its words can be typed at once
        self._show()

    def action_history(self, by: int) -> None:
        self._put(self._history.step(by, self._line.value))

    def _put(self, line: str) -> None:
        self._line.value = line
        self._line.cursor_position = len(line)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        line = event.value.strip()
        trouble = self._wrong(line)
        if trouble is not None:
            self._say(trouble, wrong=True)
            return
        self.give(line)
        self.dismiss(line)

    def _say(self, words: str, *, wrong: bool = False) -> None:
        hint = self.query_one(".hint", Label)
        hint.update(words)
        hint.set_class(wrong, "wrong")

    def action_leave(self) -> None:
        self.leave(self._line.value.strip())


def result_files(lab: Lab) -> list[tuple[str, str]]:
    """Tables beside the person and in the lab, as `import` takes them, and where they lie."""
    found = []
    for place, about in ((Path.cwd(), "in this directory"), (lab.root, "in the lab")):
        with contextlib.suppress(OSError):
            for path in sorted(path for path in place.iterdir() if path.suffix == ".tsv"):
                found.append((shlex.quote(path.name if about != "in the lab" else str(path)), about))
    return found
