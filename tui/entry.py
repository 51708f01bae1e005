"""A line to type in. What is pasted into it is taken whole, also where it has several lines."""

from __future__ import annotations

from textual.events import Paste
from textual.widgets import Input


def on_one_line(text: str) -> str:
    """The lines with one space between them; an empty one is none. A single line stays as it is."""
    lines = text.splitlines()
    return text if len(lines) == 1 and lines[0] == text else " ".join(line.strip() for line in lines if line.strip())


class Entry(Input):
    """Textual's own line keeps the first line of a paste and drops the rest."""

    def on_paste(self, event: Paste) -> None:
        event.text = on_one_line(event.text)  # Input inserts it next
