"""A text to read: coloured, broken to the width, searched; only the lines on the screen are painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.text import Text
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.tones import TONE_CLASSES, Tone, tone_style


def lines_of(text: Text) -> list[Text]:
    """A text as lines, without an empty last one."""
    lines = list(text.split("\n", allow_blank=True))
    return lines[:-1] if lines and not lines[-1].plain else lines


class Reading(ScrollView, can_focus=True, inherit_bindings=False):
    """Texts from outside must be inert already (orchestrator.runs.log_text)."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(TONE_CLASSES)
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
    ]

    @dataclass
    class Resized(Message):
        """What was drawn for a width may have to be drawn anew."""

        reading: Reading

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._lines: list[Text] = []
        self._rows: list[tuple[int, Text]] = []  # (line, the part of it) a row of the screen
        self._width = 0
        self._needle = ""
        self._found: int | None = None  # the line that was found last

    def show(self, lines: Sequence[Text], *, stay: bool = False) -> None:
        """Read these lines from their begin, or from where the reader is (`stay`)."""
        self._lines, self._found = list(lines), None
        self._break()
        if not stay:
            self.scroll_to(y=0, animate=False, force=True)
        self.refresh()

    @property
    def text(self) -> str:
        return "\n".join(line.plain for line in self._lines)

    def _break(self) -> None:
        width = self.scrollable_content_region.width or self.size.width
        self._width = width
        rows: list[tuple[int, Text]] = []
        for number, line in enumerate(self._lines):
            if width <= 0 or cell_len(line.plain) <= width:
                rows.append((number, line))
            else:
                rows += [(number, part) for part in line.wrap(self.app.console, width, no_wrap=False)]
        self._rows = rows
        self.virtual_size = Size(max(width, 0), len(rows))

    def on_resize(self, _: Resize) -> None:
        self.post_message(self.Resized(self))
        if (self.scrollable_content_region.width or self.size.width) != self._width:
            self._break()
            self.refresh()

    # -- looking around

    def move(self, where: str) -> None:
        """down, up, first or last."""
        y = self.scroll_offset.y
        to = {"down": y + 1, "up": y - 1, "first": 0, "last": len(self._rows)}[where]
        self.scroll_to(y=to, animate=False, force=True)

    def action_page(self, step: int) -> None:
        self.scroll_to(y=self.scroll_offset.y + step * max(1, self.size.height - 1), animate=False, force=True)

    @property
    def needle(self) -> str:
        """What is searched for, in lower case; empty for nothing."""
        return self._needle

    def search(self, needle: str) -> None:
        self._needle, self._found = needle.lower(), None
        self.refresh()

    def find(self, step: int) -> bool:
        """Go to the next (1) or the previous (-1) line with what was searched; false where there is none."""
        count = len(self._lines)
        if not self._needle:
            return False
        start = self._found if self._found is not None else (-1 if step > 0 else count)
        for offset in range(1, count + 1):
            number = (start + step * offset) % count
            if self._needle in self._lines[number].plain.lower():
                self._found = number
                row = next(place for place, (line, _) in enumerate(self._rows) if line == number)
                self.scroll_to(y=max(0, row - self.size.height // 3), animate=False, force=True)
                self.refresh()
                return True
        return False

    # -- painting

    def render_line(self, y: int) -> Strip:
        width, place = self.scrollable_content_region.width, self.scroll_offset.y + y
        if not 0 <= place < len(self._rows):
            return Strip.blank(width, self.rich_style)
        part = self._rows[place][1]
        if self._needle and self._needle in part.plain.lower():
            part = self._marked(part)
        base = self.rich_style
        painted = [Segment(text, base + style if style else base) for text, style, _ in part.render(self.app.console)]
        return Strip(painted).adjust_cell_length(width, base)

    def _marked(self, part: Text) -> Text:
        marked, low = part.copy(), part.plain.lower()
        at = low.find(self._needle)
        while at >= 0:
            marked.stylize(tone_style(self, Tone.FOUND), at, at + len(self._needle))
            at = low.find(self._needle, at + len(self._needle))
        return marked
