"""One line across the screen: a heading or a footer."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.strip import Strip
from textual.widget import Widget

from tui.tones import TONE_CLASSES, Line, segments


class OneLine(Widget):
    """Asks for its text with the width it has, so that what does not fit is left out and not cut."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(TONE_CLASSES)

    def __init__(self, text: Callable[[int], Line], *, classes: str) -> None:
        super().__init__(classes=classes)
        self._text = text
        self._shown: Line = []

    def tell(self) -> None:
        """Ask again; paints only what differs."""
        line = list(self._text(self.content_size.width))
        if line != self._shown:
            self._shown = line
            self.refresh()

    def on_resize(self) -> None:
        self.tell()

    def render_line(self, y: int) -> Strip:
        return Strip(segments(self, self._shown)).adjust_cell_length(self.content_size.width, self.rich_style)
