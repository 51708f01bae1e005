"""A line to type in. What is pasted into it is taken whole, also where it has several lines."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.events import Paste
from textual.widgets import Input

LINE_END = "↵"
"""Stands in a line to type in where words have the end of a line."""


def on_one_line(text: str) -> str:
    """The lines with one space between them; an empty one is none. A single line stays as it is."""
    lines = text.splitlines()
    return text if len(lines) == 1 and lines[0] == text else " ".join(line.strip() for line in lines if line.strip())


def with_signs(text: str) -> str:
    """The lines with a sign where each ends, for words whose lines mean something; ends of the whole are none."""
    lines = text.strip("\r\n").splitlines()
    return text if len(lines) == 1 and lines[0] == text else LINE_END.join(line.rstrip() for line in lines)


def without_signs(line: str) -> str:
    """The lines again that the signs stand for."""
    return "\n".join(part.rstrip() for part in line.split(LINE_END)).strip()


class Entry(Input):
    """Textual's own line keeps the first line of a paste and drops the rest."""

    def on_paste(self, event: Paste) -> None:
        event.text = self.taken(event.text)  # Input inserts it next

    def taken(self, pasted: str) -> str:
        """What of a paste stands in the line."""
        return on_one_line(pasted)


class HistoryEntry(Entry):
    """Up and down bring what was typed before: the screen around it knows what."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "screen.history(-1)", "before"),
        Binding("down", "screen.history(1)", "after"),
    ]


class WordsEntry(HistoryEntry):
    """For words to an agent: the lines of a paste stay apart."""

    def taken(self, pasted: str) -> str:
        return with_signs(pasted)
