"""What stands on the terminal, cell by cell, so that of a frame only what differs is written."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import get_character_cell_size
from rich.console import Console
from rich.control import Control
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

Cell = tuple[str, Style | None]

REST = ""  # the second half of a wide character
BRIDGED = 4  # so few equal cells between two changes cost less than going past them


class Shadow:
    """The cells of every line as they were written last."""

    def __init__(self) -> None:
        self._lines: dict[int, dict[int, Cell]] = {}

    def forget(self) -> None:
        """Nobody knows what the terminal shows: everything is written anew."""
        self._lines.clear()

    def write(self, y: int, x: int, strip: Strip, console: Console) -> str:
        """The sequences that bring the terminal from what it shows at (x, y) to the strip."""
        line = self._lines.setdefault(y, {})
        cells = _cells(strip)
        changed = [place for place, cell in enumerate(cells) if line.get(x + place) != cell]
        if not changed:
            return ""
        line.update(enumerate(cells, x))
        if len(changed) == len(cells):
            return _at(x, y) + strip.render(console)
        written = []
        for first, last in _runs(changed):
            while first > 0 and cells[first][0] == REST:
                first -= 1
            while last + 1 < len(cells) and cells[last + 1][0] == REST:
                last += 1
            run = cells[first : last + 1]
            written += [_at(x + first, y), Strip(list(_segments(run)), len(run)).render(console)]
        return "".join(written)


class Difference(CompositorUpdate):
    """A frame of Textual's, of which only what differs from the shadow is written."""

    def __init__(self, frame: CompositorUpdate, shadow: Shadow) -> None:
        self._frame, self._shadow = frame, shadow

    def render_segments(self, console: Console) -> str:
        match self._frame:
            case LayoutUpdate():
                pieces = _whole(self._frame)
            case ChopsUpdate():
                pieces = _parts(self._frame)
            case _:
                self._shadow.forget()
                return self._frame.render_segments(console)
        return "".join(self._shadow.write(y, x, strip, console) for y, x, strip in pieces)


def _whole(frame: LayoutUpdate) -> Iterator[tuple[int, int, Strip]]:
    for y, strips in enumerate(frame.strips, frame.region.y):
        yield y, frame.region.x, Strip.join(strips)


def _parts(frame: ChopsUpdate) -> Iterator[tuple[int, int, Strip]]:
    """Every fragment that a span touches, cut where the span ends; in the order in which they stand in the frame."""
    for y, first, end in frame.spans:
        for until, (x, strip) in zip(frame.chop_ends[y], frame.chops[y].items(), strict=False):
            if strip is not None and x < end and until > first:
                yield y, x, strip if until <= end else strip.crop(0, end - x)


def _cells(strip: Strip) -> list[Cell]:
    cells: list[Cell] = []
    for text, style, _ in strip:
        if text.isascii():
            cells += [(character, style) for character in text]
            continue
        for character in text:
            size = get_character_cell_size(character)
            if size == 0 and cells:  # it is drawn onto the one before
                cells[-1] = (cells[-1][0] + character, cells[-1][1])
            else:
                cells += [(character, style), (REST, style)][:size]
    return cells


def _runs(places: list[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring places together, over small gaps too: (first, last)."""
    first = last = places[0]
    for place in places[1:]:
        if place > last + BRIDGED:
            yield first, last
            first = place
        last = place
    yield first, last


def _segments(cells: list[Cell]) -> Iterator[Segment]:
    text, style = "", cells[0][1]
    for character, its in cells:
        if its != style:
            yield Segment(text, style)
            text, style = "", its
        text += character
    yield Segment(text, style)


def _at(x: int, y: int) -> str:
    return Control.move_to(x, y).segment.text
