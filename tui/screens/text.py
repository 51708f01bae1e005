"""A log or a diff on the whole screen: followed, wrapped, searched, all of it inert."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Log, RichLog, Static

from orchestrator.runs.log_text import inert, read_lines
from tui.screens.dialogs import Ask

LOOK_SECONDS = 0.3
KEPT = 20_000
WRAPPED = 1_000


class LogScreen(Screen[None]):
    """The log of a run as it grows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", "back"),
        Binding("s", "follow", "follow"),
        Binding("w", "wrap", "wrap"),
        Binding("slash", "search", "search"),
        Binding("n", "next(1)", "next"),
        Binding("N", "next(-1)", "previous"),
        Binding("g,home", "top", "top"),
        Binding("G,end", "bottom", "bottom"),
        Binding("j", "line(1)", show=False),
        Binding("k", "line(-1)", show=False),
    ]

    def __init__(self, title: str, path: Path) -> None:
        super().__init__()
        self._title = title
        self._path = path
        self._offset: int | None = None
        self._lines: list[str] = []
        self._follow = True
        self._wrapped = False
        self._needle = ""
        self._place = -1

    def compose(self) -> ComposeResult:
        yield Static(self._title, classes="heading", markup=False)
        yield Log(id="plain", max_lines=KEPT, highlight=False)
        yield RichLog(id="wrapped", max_lines=KEPT, wrap=True, markup=False, highlight=False)
        yield Static("esc back  s follow  w wrap  / search  n N next, previous  g G top, end", classes="footer")

    def on_mount(self) -> None:
        self.query_one("#wrapped").display = False
        self._read()
        self.set_interval(LOOK_SECONDS, self._read)
        self.query_one("#plain").focus()

    def _read(self) -> None:
        piece = read_lines(self._path, self._offset)
        self._offset = piece.offset
        if piece.lines:
            self._lines = (self._lines + piece.lines)[-KEPT:]
            self._show(piece.lines)
        elif not self._lines and self._offset == 0:
            self.query_one(".heading", Static).update(Text(f"{self._title}: nothing printed yet"))

    def _show(self, lines: list[str]) -> None:
        if self._wrapped:
            log = self.query_one("#wrapped", RichLog)
            for line in lines[-WRAPPED:]:
                log.write(Text(line), scroll_end=self._follow)
        else:
            self.query_one("#plain", Log).write_lines(lines, scroll_end=self._follow)
        self.query_one(".heading", Static).update(
            Text(f"{self._title}  {len(self._lines)} lines{'' if self._follow else '  (not following)'}")
        )

    def action_follow(self) -> None:
        self._follow = not self._follow
        if self._follow:
            self.action_bottom()
        self._show([])

    def action_wrap(self) -> None:
        self._wrapped = not self._wrapped
        plain, wrapped = self.query_one("#plain", Log), self.query_one("#wrapped", RichLog)
        plain.display, wrapped.display = not self._wrapped, self._wrapped
        plain.clear()
        wrapped.clear()
        self._show(self._lines)
        (wrapped if self._wrapped else plain).focus()

    def _view(self) -> Log | RichLog:
        return self.query_one("#wrapped", RichLog) if self._wrapped else self.query_one("#plain", Log)

    def action_top(self) -> None:
        self._follow = False
        self._view().scroll_home(animate=False)

    def action_bottom(self) -> None:
        self._view().scroll_end(animate=False)

    def action_line(self, by: int) -> None:
        self._follow = False
        self._view().scroll_relative(y=by, animate=False)

    def action_search(self) -> None:
        def search(needle: str | None) -> None:
            if needle:
                self._needle, self._place = needle.lower(), len(self._lines)
                self.action_next(-1)

        self.app.push_screen(Ask("/", self._needle), search)

    def action_next(self, step: int) -> None:
        if not self._needle:
            return
        count = len(self._lines)
        for offset in range(1, count + 1):
            place = (self._place + step * offset) % count
            if self._needle in self._lines[place].lower():
                self._place, self._follow = place, False
                self._view().scroll_to(y=max(0, place - 3), animate=False)
                self.notify(f"line {place + 1}: {self._lines[place][:80]}", markup=False)
                return
        self.notify(f"'{self._needle}' is nowhere in the log.", markup=False)


def coloured_diff(diff: str) -> Text:
    """A unified diff with its added and removed lines marked by sign and colour."""
    text = Text()
    for line in inert(diff).splitlines():
        style = ""
        if line.startswith(("+++", "---", "diff ", "index ")):
            style = "bold"
        elif line.startswith("@@"):
            style = "cyan"
        elif line.startswith("+"):
            style = "green"
        elif line.startswith("-"):
            style = "red"
        text.append(line + "\n", style)
    return text
