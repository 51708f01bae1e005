"""A log on the whole screen: followed, wrapped, searched, all of it inert; or what a command has printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult

from orchestrator.runs.log_text import read_lines
from tui.panes.line import OneLine
from tui.panes.tail import Tail
from tui.screens.dialogs import Ask
from tui.screens.room import RoomScreen
from tui.tones import Line, Said, Tone, fit

LOOK_SECONDS = 0.3


class LinesScreen(RoomScreen):
    """Lines that are there already, or come all at once."""

    FOOTER: ClassVar[tuple[str, ...]] = ("back", "filter", "next_match", "previous_match", "wrap", "first", "last")
    WRAPS: ClassVar[bool] = True  # at first

    def __init__(self, title: str, lines: Sequence[str] | None, experiment_id: int | None = None) -> None:
        """`lines`: None where they are still to come (`take`)."""
        super().__init__()
        self._title = title
        self._first_lines = lines
        self._experiment_id = experiment_id

    @property
    def experiment_id(self) -> int | None:
        return self._experiment_id

    def compose(self) -> ComposeResult:
        yield OneLine(self._heading, classes="heading")
        yield Tail(wrap=self.WRAPS, id="lines")
        yield self.footer()

    def on_mount(self) -> None:
        self.begin()
        self.tail.focus()
        self._tell()

    def begin(self) -> None:
        """What is shown first."""
        self.tail.follows = False
        if self._first_lines is not None:
            self.take(self._first_lines)

    def take(self, lines: Sequence[str]) -> None:
        """The lines have come."""
        self._first_lines = lines
        self.tail.add(lines)
        self._tell()

    @property
    def tail(self) -> Tail:
        return self.query_one("#lines", Tail)

    def _state(self) -> str:
        if self._first_lines is None:
            return "one moment"
        hit = f"  found {self.tail.hit}" if self.tail.hit else ""
        return f"{len(self.tail.lines):,} lines" + ("  wrapped" if self.tail.wraps else "") + hit

    def _heading(self, width: int) -> Line:
        state = self._state()
        return [Said(fit(self._title, width - len(state) - 2), Tone.STRONG), Said(f"  {state}", Tone.DIM)]

    def _tell(self) -> None:
        self.query_one(".heading", OneLine).tell()

    def view(self, name: str, key: str) -> bool:
        match name:
            case "back" | "leave":
                self.dismiss()
                return True
            case "down" | "up" | "first" | "last":
                self.tail.move(name)
            case "wrap":
                self.tail.toggle_wrap()
            case "filter":
                self.app.push_screen(Ask("/", "", "searches; n next, N previous"), self._search)
            case "next_match" | "previous_match":
                self._find(1 if name == "next_match" else -1)
            case _:
                return False
        self._tell()
        return True

    def _search(self, needle: str | None) -> None:
        if needle is not None:
            self.tail.search(needle)
            if needle:
                self._find(-1)

    def _find(self, step: int) -> None:
        if self.tail.find(step) is None:
            self.notify(not_found(self.tail.needle), markup=False)
        self._tell()


def not_found(needle: str) -> str:
    return f"`{needle}` is nowhere in it." if needle else "Nothing is searched for yet: / asks for a text."


class LogScreen(LinesScreen):
    """A log as it grows."""

    FOOTER: ClassVar[tuple[str, ...]] = (
        *("back", "follow", "wrap", "filter", "next_match", "previous_match", "first", "last"),
        *("pause_run", "stop_run", "kill", "copy"),
    )
    WRAPS: ClassVar[bool] = False

    def __init__(self, title: str, path: Path, experiment_id: int | None = None, run_id: int | None = None) -> None:
        super().__init__(title, (), experiment_id)
        self._path = path
        self._run_id = run_id
        self._offset: int | None = None

    @property
    def run_id(self) -> int | None:
        return self._run_id

    @property
    def path(self) -> Path:
        return self._path

    def begin(self) -> None:
        self.set_interval(LOOK_SECONDS, self._read)
        self._read()

    def _read(self) -> None:
        piece = read_lines(self._path, self._offset)
        self._offset = piece.offset
        self.tail.add(piece.lines)
        self._tell()

    def _state(self) -> str:
        if not self.tail.lines:
            return "nothing printed yet"
        return f"{super()._state()}  {'following' if self.tail.follows else 'not following'}"

    def view(self, name: str, key: str) -> bool:
        if name == "follow":
            self.tail.move("last") if not self.tail.follows else setattr(self.tail, "follows", False)
            self._tell()
            return True
        return super().view(name, key)
