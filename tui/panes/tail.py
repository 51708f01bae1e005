"""A view of lines that grow: follows the end, wraps, searches, and paints only what is on the screen."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from textual.binding import Binding, BindingType
from textual.events import MouseScrollUp, Resize
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.tones import TONE_CLASSES, Said, Tone, segments

KEPT = 20_000
LONGEST = 2_000  # characters of one line that are shown
NEAR_END = 150  # lines that are broken to the width while the end is followed; all of them when the person looks back

_JOURNAL = re.compile(r"(\d\d:\d\d:\d\d )?(=== |-> |<- |-- )?")
_JOURNAL_TONES = {"=== ": Tone.STRONG, "-> ": Tone.LIVE, "<- ": Tone.DIM, "-- ": Tone.DIM}
_FAILURE = re.compile(r"\b(Traceback|\w*Error|\w*Exception|out of memory)\b")


def spoken(line: str) -> list[Said]:
    """A line of an agent's journal or of a run's log with its time, its kind and its trouble told apart."""
    found = _JOURNAL.match(line)
    assert found is not None
    time, kind = found.group(1) or "", found.group(2) or ""
    rest = line[len(time) :]
    tone = _JOURNAL_TONES.get(kind, Tone.BAD if _FAILURE.search(rest) else Tone.PLAIN)
    return [Said(time, Tone.DIM), Said(rest, tone)] if time else [Said(rest, tone)]


def wrapped(line: str, width: int) -> list[str]:
    """The line in parts of at most `width` cells, broken between words; what follows stands under the words."""
    if cell_len(line) <= width:
        return [line]
    found = _JOURNAL.match(line)
    indent = len(found.group(1) or "") if found is not None and width > 40 else 0
    if not line.isascii() and cell_len(line) != len(line):  # wide characters: counted in cells, broken anywhere
        first = chop_cells(line, width)[0]
        return [first, *(" " * indent + part for part in chop_cells(line[len(first) :], width - indent))]
    return textwrap.wrap(line, width, subsequent_indent=" " * indent, replace_whitespace=False) or [line]


def marked(line: Sequence[Said], needle: str) -> list[Said]:
    """The line with every occurrence of `needle` (in lower case) marked."""
    if not needle:
        return list(line)
    pieces = []
    for said in line:
        rest, low = said.text, said.text.lower()
        while needle in low:
            at = low.index(needle)
            pieces += [Said(rest[:at], said.tone), Said(rest[at : at + len(needle)], Tone.FOUND)]
            rest, low = rest[at + len(needle) :], low[at + len(needle) :]
        pieces.append(Said(rest, said.tone))
    return pieces


class Tail(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines from outside must be inert already (orchestrator.runs.log_text)."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(TONE_CLASSES)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("left", "sideways(-20)", show=False),
        Binding("right", "sideways(20)", show=False),
    ]

    def __init__(self, *, id: str, wrap: bool = False) -> None:
        super().__init__(id=id)
        self.lines: list[str] = []
        self.follows = True
        self.wraps = wrap
        self._pieces: list[tuple[int, str]] = []  # (line, the part of it) a row of the screen
        self._from = 0  # the first line that is among them
        self._needle = ""
        self._found: int | None = None  # the line that was found last

    # -- lines come and go

    def add(self, lines: Sequence[str]) -> None:
        if not lines:
            return
        begin = len(self.lines)
        self.lines += [_shown(line) for line in lines]
        if len(self.lines) > KEPT:
            self.lines = self.lines[-(KEPT - KEPT // 10) :]
            self._cut()
        elif self.follows and (begin == 0 or len(self.lines) - self._from > 4 * NEAR_END):
            self._cut()
        else:
            self._pieces += self._cut_lines(begin)
            self._measure()
        if self.follows:
            self.to_end()
        self.refresh()

    def clear(self) -> None:
        self.lines, self._pieces, self._found, self._from = [], [], None, 0
        self._measure()
        self.refresh()

    def _cut(self) -> None:
        """Break the lines anew: those near the end, or all of them for a person who looks back."""
        self._from = max(0, len(self.lines) - NEAR_END) if self.follows else 0
        self._pieces = self._cut_lines(self._from)
        self._measure()

    def _look_back(self) -> None:
        """The end is not followed any more: what came before is broken to the width too, in its place."""
        self.follows = False
        if not self._from:
            return
        rows, y = len(self._pieces), self.scroll_offset.y
        self._cut()
        self.scroll_to(y=y + len(self._pieces) - rows, animate=False, force=True)

    def _cut_lines(self, begin: int) -> list[tuple[int, str]]:
        width = self.scrollable_content_region.width
        pieces: list[tuple[int, str]] = []
        for number in range(begin, len(self.lines)):
            line = self.lines[number]
            parts = wrapped(line, width) if self.wraps and width > 0 else [line]
            pieces += [(number, part) for part in parts]
        return pieces

    def _measure(self) -> None:
        width = self.scrollable_content_region.width
        if not self.wraps:
            width = max([width, *(len(part) for _, part in self._pieces[-1000:])])
        self.virtual_size = Size(width, len(self._pieces))

    def on_resize(self, _: Resize) -> None:
        self._cut()
        if self.follows:
            self.to_end()

    # -- looking around

    def toggle_wrap(self) -> None:
        self.wraps = not self.wraps
        self._cut()
        self.scroll_to(x=0, animate=False, force=True)
        if self.follows:
            self.to_end()
        self.refresh()

    def to_end(self) -> None:
        """`force`, here and elsewhere: the scroll bar of lines just come is not there yet."""
        self.scroll_to(y=max(0, len(self._pieces) - self.size.height), animate=False, force=True)

    def move(self, where: str) -> None:
        """down, up, first or last; whoever goes up stops following."""
        if where == "last":
            self.follows = True
        else:
            self._look_back()
        y = self.scroll_offset.y
        to = {"down": y + 1, "up": y - 1, "first": 0, "last": len(self._pieces)}[where]
        self.scroll_to(y=to, animate=False, force=True)

    def action_page(self, step: int) -> None:
        self._look_back()
        self.scroll_to(y=self.scroll_offset.y + step * max(1, self.size.height - 1), animate=False, force=True)

    def action_sideways(self, by: int) -> None:
        self.scroll_to(x=self.scroll_offset.x + by, animate=False, force=True)

    def on_mouse_scroll_up(self, _: MouseScrollUp) -> None:
        self._look_back()

    @property
    def needle(self) -> str:
        """What is searched for, in lower case; empty for nothing."""
        return self._needle

    @property
    def hit(self) -> str:
        """Which of the lines with what was searched is found; empty before."""
        if self._found is None or not self._needle:
            return ""
        places = [number for number, line in enumerate(self.lines) if self._needle in line.lower()]
        return f"{places.index(self._found) + 1} of {len(places)}" if self._found in places else ""

    def search(self, needle: str) -> None:
        self._needle, self._found = needle.lower(), None
        self.refresh()

    def find(self, step: int) -> int | None:
        """Go to the next (1) or the previous (-1) line with what was searched; its number, or None."""
        if not self._needle or not self.lines:
            return None
        count = len(self.lines)
        start = self._found if self._found is not None else (count if step < 0 else -1)
        for offset in range(1, count + 1):
            number = (start + step * offset) % count
            if self._needle in self.lines[number].lower():
                self._found = number
                self._look_back()
                row = next(place for place, (line, _) in enumerate(self._pieces) if line == number)
                self.scroll_to(y=max(0, row - self.size.height // 3), animate=False, force=True)
                self.refresh()
                return number
        return None

    # -- painting

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_content_region.width
        left, top = self.scroll_offset
        place = top + y
        if place >= len(self._pieces):
            return Strip.blank(width, self.rich_style)
        number, part = self._pieces[place]
        first = place == 0 or self._pieces[place - 1][0] != number
        line = spoken(part) if first else [Said(part, spoken(self.lines[number])[-1].tone)]
        strip = Strip(segments(self, marked(line, self._needle)))
        return strip.crop(left, left + width).adjust_cell_length(width, self.rich_style)


def _shown(line: str) -> str:
    line = line.expandtabs(8)
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} … ({len(line):,} characters)"
