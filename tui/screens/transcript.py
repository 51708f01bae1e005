"""An agent's transcript: its turns, newest first, beside the one under the cursor; on top what is being said now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.events import DescendantFocus, Resize

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.runs.log_text import read_lines, read_log
from orchestrator.store.agents import AgentRow
from orchestrator.store.calls import Account, Turn, account_of, find_turn, newest_turn, turn_of, turns_of
from orchestrator.store.reader import Reader
from tui.panes.line import OneLine
from tui.panes.reading import Reading
from tui.panes.rows import Rows
from tui.screens.dialogs import Ask
from tui.screens.room import RoomScreen
from tui.tones import Line
from tui.transcripts import (
    LIVE,
    TURN_COLUMNS,
    answers_in,
    heading,
    live_cells,
    next_outcome,
    since,
    turn_cells,
    turn_lines,
)

LOOK_SECONDS = 0.4
WINDOW = 300  # turns that are read at once, around those that the person sees
WIDE = 150  # columns from which the turn stands beside the list
FIRST_BYTES = 64 * 1024
MOST_LIVE_LINES = 2000


class TranscriptScreen(RoomScreen):
    FOOTER: ClassVar[tuple[str, ...]] = (
        *("back", "open", "outcome", "filter", "next_match", "previous_match", "follow", "next_pane"),
        *("log", "message", "copy", "full_screen", "help"),
    )

    def __init__(self, lab: Lab, reader: Reader, agent: str) -> None:
        super().__init__()
        self._lab, self._reader, self._whose = lab, reader, agent
        self._agent: AgentRow | None = None
        self._account = Account(0, 0, 0, 0.0, {})
        self._turns: list[Turn] = []
        self._first = 0  # the place of the first of them
        self._outcome = ""
        self._needle = ""
        self._version: tuple[object, ...] = ()
        self._read_up_to: tuple[int, int, str] | None = None  # the newest turn, and the window
        self._looking = False
        self._shown: Turn | None = None
        self._unfolded: set[int] = set()
        self._live: list[str] = []
        self._offset: int | None = None
        self._painted: tuple[object, ...] = ()
        self._zoomed = False

    # -- what is meant here

    @property
    def agent(self) -> str:
        return self._whose

    @property
    def path(self) -> Path:
        return self._lab.agent_log(self._whose)

    @property
    def experiment_id(self) -> int | None:
        turn = self._selected
        if turn is not None:
            return turn.experiment_id
        return self._agent.experiment_id if self._agent is not None else None

    @property
    def follows(self) -> bool:
        """Whether the person is with what is being said now."""
        return self._list.selected_key in (LIVE, None)

    def compose(self) -> ComposeResult:
        yield OneLine(self._heading, classes="heading")
        with Container(id="transcript"):
            yield Rows(TURN_COLUMNS, id="turns", empty="reading")
            yield Reading(id="turn")
        yield self.footer()

    async def on_mount(self) -> None:
        self._list.focus()
        self.set_interval(LOOK_SECONDS, self._look)
        await self._read()

    @property
    def _list(self) -> Rows:
        return self.query_one("#turns", Rows)

    @property
    def _page(self) -> Reading:
        return self.query_one("#turn", Reading)

    @property
    def _selected(self) -> Turn | None:
        key = self._list.selected_key
        return next((turn for turn in self._turns if str(turn.id) == key), None)

    def _heading(self, width: int) -> Line:
        return heading(self._whose, self._agent, self._account, self._outcome, width)

    # -- reading

    def _look(self) -> None:
        if self.is_current and not self._looking:
            self._looking = True
            self.run_worker(self._read(), group="turns")

    async def _read(self) -> None:
        try:
            await self._take_turns()
            self._listen()
        except LabError as error:
            self._list.empty = str(error)
            self._list.refresh()
        finally:
            self._looking = False
        await self._show_turn()

    async def _take_turns(self) -> None:
        version = (await self._reader.data_version(), self._first, self._outcome)
        if version == self._version:
            return
        self._version = version
        agents = {agent.name: agent for agent in await self._reader.agents()}
        self._agent = agents.get(self._whose)
        newest = (await newest_turn(self._reader, self._whose), self._first, self._outcome)
        if newest != self._read_up_to:  # what else is committed in a busy lab is no news here
            if self._read_up_to and newest[0] != self._read_up_to[0]:
                self._live.clear()  # what was being said is a turn now
            self._read_up_to = newest
            self._account = await account_of(self._reader, self._whose)
            self._turns = await turns_of(
                self._reader, self._whose, outcome=self._outcome, limit=WINDOW, offset=max(0, self._first - 1)
            )
        rows = [(str(turn.id), turn_cells(turn)) for turn in self._turns]
        first = self._first
        if first <= 1:  # the newest are among them: what is being said now stands before them
            rows, first = [(LIVE, live_cells(self._agent)), *rows], 0
        total = self._account.outcomes.get(self._outcome, 0) if self._outcome else self._account.turns
        self._list.show(rows, first=first, total=total + 1)
        self._list.border_title = f"1 turns {total:,}" + (f"  only {self._outcome}" if self._outcome else "")
        self.query_one(".heading", OneLine).tell()

    def _listen(self) -> None:
        """Take in what the agent's log has got; what belongs to a turn that is over is passed over."""
        first = self._offset is None
        piece = read_lines(self.path, self._offset, FIRST_BYTES)
        self._offset = piece.offset
        last = self._turns[0].at if first and self._turns and self._first <= 1 else ""
        self._live = [*self._live, *(since(piece.lines, last) if first else piece.lines)][-MOST_LIVE_LINES:]

    def on_rows_wanted(self, event: Rows.Wanted) -> None:
        self._first = max(0, event.middle - WINDOW // 2)
        self._look()

    # -- the turn under the cursor

    def on_rows_moved(self, _: Rows.Moved) -> None:
        self.run_worker(self._show_turn(), group="turn", exclusive=True)

    async def _show_turn(self) -> None:
        colours = self.app.theme_variables
        if self.follows:
            now = (LIVE, len(self._live), self._live[-1:], self._agent)
            if now != self._painted:
                stay = bool(self._painted) and self._painted[0] == LIVE
                self._painted = now
                self._paint([Text(line) for line in self._live] or [Text(self._silence(), colours["dim"])], stay)
                self._page.move("last")
            return
        selected = self._selected
        if selected is None:
            return
        unfolded = selected.id in self._unfolded
        if (now_shown := (selected.id, unfolded, self.size.width)) == self._painted:
            return
        if self._shown is None or self._shown.id != selected.id:
            self._shown = await turn_of(self._reader, selected.id)
        turn = self._shown
        if turn is None or str(turn.id) != self._list.selected_key:
            return
        answers: Sequence[str | None] = await asyncio.to_thread(self._answers, turn) if unfolded and turn.tools else ()
        stay = bool(self._painted) and self._painted[0] == selected.id
        self._painted = now_shown
        self._paint(turn_lines(turn, colours, unfolded=unfolded, answers=answers), stay)

    def _paint(self, lines: list[Text], stay: bool) -> None:
        self._page.show(lines, stay=stay)
        self._page.border_title = "2 now" if self.follows else f"2 turn {self._list.selected_key}"
        self._page.border_subtitle = "" if self.follows else "enter unfolds the calls"

    def _silence(self) -> str:
        if self._agent is None:
            return f"{self._whose} is no longer in the team; its turns are below."
        return f"{self._agent.state}: {self._agent.job}" if self._agent.job else f"{self._agent.state}, no job yet"

    def _answers(self, turn: Turn) -> list[str | None]:
        """What came back from the turn's calls; in a thread: the log may have megabytes."""
        logs = (self.path.with_suffix(".log.1"), self.path)
        for log in reversed(logs):
            found = answers_in(read_log(log, 8 * 2**20).split("\n"), turn)
            if any(answer is not None for answer in found):
                return found
        return [None] * len(turn.tools)

    # -- where everything stands

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < WIDE, "small")
        self._arrange()

    def _arrange(self) -> None:
        reads = self._page.has_focus
        self._list.display = not (self._zoomed and reads)
        self._page.display = not (self._zoomed and not reads)

    def on_descendant_focus(self, _: DescendantFocus) -> None:
        for pane in (self._list, self._page):
            pane.set_class(pane.has_focus, "current")

    def on_rows_opened(self, _: Rows.Opened) -> None:
        self._fold()

    def _fold(self) -> None:
        """Unfold the calls of the turn, or fold them again."""
        turn = self._selected
        if turn is None:
            self.notify("What is being said now has no calls to unfold yet: j goes to the last turn.")
        elif not turn.tools:
            self.notify("There are no calls in this turn.")
        else:
            self._unfolded ^= {turn.id}
            self.run_worker(self._show_turn(), group="turn", exclusive=True)

    # -- keys

    def _go_to(self, pane: Rows | Reading) -> None:
        self._zoomed = False
        self._arrange()
        pane.focus()

    def view(self, name: str, key: str) -> bool:
        reads = self._page.has_focus
        match name:
            case "back" if self._zoomed:
                self._go_to(self._page if reads else self._list)
            case "back" if self._outcome:
                self._only("")
            case "back" | "leave":
                self.dismiss()
            case "open":
                self._fold()
            case "outcome":
                self._only(next_outcome(self._account, self._outcome))
            case "follow":
                self._list.move("first" if not self.follows else "down")
            case "next_pane" | "previous_pane":
                self._go_to(self._list if reads else self._page)
            case "pane" if key in ("1", "2"):
                self._go_to(self._list if key == "1" else self._page)
            case "full_screen":
                self._zoomed = not self._zoomed
                self._arrange()
            case "down" | "up" | "first" | "last":
                (self._page if reads else self._list).move(name)
            case "filter":
                self.app.push_screen(
                    Ask("/", self._needle, "searches all turns; n the next older, N newer"), self._search
                )
            case "next_match" | "previous_match":
                self.run_worker(self._find(older=name == "next_match"), group="find", exclusive=True)
            case "log":
                self._open_log()
            case _:
                return False
        return True

    def _only(self, outcome: str) -> None:
        self._outcome, self._first = outcome, 0
        self._list.move("first")
        self._look()

    def _open_log(self) -> None:
        from tui.screens.text import LogScreen

        self.app.push_screen(LogScreen(f"agent {self._whose}", self.path))

    def _search(self, needle: str | None) -> None:
        if needle is not None:
            self._needle = needle.strip()
            self._page.search(self._needle)
            if self._needle:
                self.run_worker(self._find(older=True), group="find", exclusive=True)

    async def _find(self, *, older: bool) -> None:
        """Go to the next turn with what is searched, wherever in the thousands it is."""
        if not self._needle:
            self.notify("/ searches for a text first.")
            return
        key = self._list.selected_key
        beside = int(key) if key is not None and key != LIVE else 2**62 if older else 0
        found = await find_turn(
            self._reader, self._whose, self._needle, outcome=self._outcome, beside=beside, older=older
        )
        if found is None:
            self.notify(f"No turn holds {self._needle!r}.", markup=False)
            return
        _, place = found
        self._first = max(0, place - WINDOW // 2)
        self._version = ()
        await self._take_turns()
        self._list.move_to(place + 1)
        await self._show_turn()
        self._page.find(1)
