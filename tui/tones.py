"""Tones: what a piece of text means, told apart from the colour that a theme gives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.widget import Widget


class Tone(StrEnum):
    """A colour only repeats what a word or a sign beside it says."""

    PLAIN = "plain"
    STRONG = "strong"
    DIM = "dim"
    GOOD = "good"
    BAD = "bad"
    WARN = "warn"
    LIVE = "live"
    FOUND = "found"  # what a search has found


@dataclass(frozen=True, slots=True)
class Said:
    """A piece of a line."""

    text: str
    tone: Tone = Tone.PLAIN


Line = Sequence[Said]

TONE_CLASSES = frozenset(f"tone--{tone}" for tone in Tone)
"""For a widget's COMPONENT_CLASSES; room.tcss says how each looks."""


def tone_style(widget: Widget, tone: Tone) -> Style:
    """How a tone looks in a widget, laid over the widget's own style."""
    return widget.get_component_rich_style(f"tone--{tone}", partial=True)


def segments(widget: Widget, line: Line, over: Style | None = None, base: Style | None = None) -> list[Segment]:
    """A line as Textual paints it; `over` is laid on top of every tone (a cursor). `base` is the widget's own style,
    for whoever paints many lines at once: to ask for it costs as much as the rest of a line."""
    base = widget.rich_style if base is None else base
    painted = []
    for said in line:
        style = base + tone_style(widget, said.tone)
        painted.append(Segment(said.text, style + over if over is not None else style))
    return painted


def refresh_lines(widget: Widget, old: Sequence[object], new: Sequence[object]) -> None:
    """Repaint the lines that differ: over a thin line to the terminal the others cost nothing."""
    width = widget.size.width
    for y in range(max(len(old), len(new))):
        if y >= len(old) or y >= len(new) or old[y] != new[y]:
            widget.refresh(Region(0, y, width, 1))


def fit(text: str, width: int, right: bool = False) -> str:
    """Cut or padded to `width` terminal cells; a cut is shown, wide characters are counted as two."""
    if width <= 0:
        return ""
    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - size) + text if right else text + " " * (width - size)
