"""Charts drawn in braille dots: pure functions from points to lines of text.

A cell of the terminal holds 2 x 4 dots (Unicode block 2800); lines and points share one grid, signs stand on top.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from orchestrator.runs.untrusted import is_score
from tui.tones import Line, Said, Tone

Point = tuple[float, float]

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # [row][column]


class Shape(Enum):
    LINE = "line"
    STEP = "step"
    DOTS = "dots"
    SIGNS = "signs"


@dataclass(frozen=True, slots=True)
class Series:
    """Points and how they are drawn; later series are drawn over earlier ones."""

    points: Sequence[Point]
    shape: Shape
    tone: Tone = Tone.PLAIN
    sign: str = "+"
    labels: Sequence[Label] = ()  # written beside points where there is room, the first of them first


@dataclass(frozen=True, slots=True)
class Label:
    """Words beside a point: the first of `texts` that finds room."""

    point: Point
    texts: tuple[str, ...]


@dataclass(slots=True)
class Canvas:
    """A grid of `width` x `height` cells; dots are counted from the top left."""

    width: int
    height: int
    _bits: dict[tuple[int, int], int] = field(default_factory=dict)
    _tones: dict[tuple[int, int], Tone] = field(default_factory=dict)
    _signs: dict[tuple[int, int], str] = field(default_factory=dict)

    def dot(self, x: int, y: int, tone: Tone) -> None:
        if 0 <= x < 2 * self.width and 0 <= y < 4 * self.height:
            cell = (x // 2, y // 4)
            self._bits[cell] = self._bits.get(cell, 0) | _DOTS[y % 4][x % 2]
            self._tones[cell] = tone

    def line(self, x0: int, y0: int, x1: int, y1: int, tone: Tone) -> None:
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for n in range(steps + 1):
            self.dot(round(x0 + (x1 - x0) * n / steps), round(y0 + (y1 - y0) * n / steps), tone)

    def sign(self, x: int, y: int, sign: str, tone: Tone) -> None:
        cell = (min(max(x // 2, 0), self.width - 1), min(max(y // 4, 0), self.height - 1))
        self._signs[cell], self._tones[cell] = sign, tone

    def step(self, x0: int, y0: int, x1: int, y1: int, tone: Tone) -> None:
        """Across to `x1`, then up or down, in box lines: cells, not dots."""
        c0, r0, c1, r1 = x0 // 2, y0 // 4, x1 // 2, y1 // 4
        for c in range(c0, c1 + 1):
            if (c, r0) not in self._signs:  # the corner of the step before stays
                self.sign(2 * c, 4 * r0, "─", tone)
        if r0 == r1:
            return
        self.sign(2 * c1, 4 * r0, ("╮" if r1 > r0 else "╯") if c1 > c0 else "│", tone)
        for r in range(min(r0, r1) + 1, max(r0, r1)):
            self.sign(2 * c1, 4 * r, "│", tone)
        self.sign(2 * c1, 4 * r1, "╰" if r1 > r0 else "╭", tone)

    def write(self, x: int, y: int, text: str, tone: Tone) -> bool:
        """Write beside the dot (x, y), above it where that is free; false when there is no room."""
        column, row, size = x // 2, y // 4, len(text)
        for left, at in ((column + 1, row - 1), (column + 2, row), (column + 1, row + 1), (column - size, row - 1)):
            cells = [(c, at) for c in range(left, left + size)]
            around = [(left - 1, at), (left + size, at)]
            if left < 0 or left + size > self.width or not 0 <= at < self.height:
                continue
            if any(cell in self._signs or cell in self._bits for cell in cells):
                continue
            if any(self._signs.get(cell, " ").isalnum() for cell in around):  # two numbers would read as one
                continue
            for cell, letter in zip(cells, text, strict=True):
                self._signs[cell], self._tones[cell] = letter, tone
            return True
        return False

    def row(self, y: int) -> list[Said]:
        """One line of the grid, neighbours of one tone together."""
        said: list[Said] = []
        for x in range(self.width):
            text = self._signs.get((x, y)) or (chr(0x2800 + bits) if (bits := self._bits.get((x, y))) else " ")
            tone = self._tones.get((x, y), Tone.PLAIN)
            if said and said[-1].tone == tone:
                said[-1] = Said(said[-1].text + text, tone)
            else:
                said.append(Said(text, tone))
        return said


MOST_DIGITS = 7

LEAST_STEP = 1e-300
"""Between two ticks: smaller ones are no longer told apart."""


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round numbers (1, 2 or 5 times a power of ten) from `low` to `high`."""
    if most < 1 or not high > low:
        return []
    rough = (high - low) / most
    if rough < LEAST_STEP:
        return []
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [n * step for n in range(first, last + 1)]
    return []


LEAST_AIR = 1e-290
"""Above and below the values; a place is reckoned by its inverse, which must be a number too."""


def value_range(series: Sequence[Series], clip: float = 1.0) -> tuple[float, float]:
    """The lowest value and the `clip` quantile of the highest, with a little air; (0, 1) without points."""
    values = sorted(y for one in series for _, y in one.points if is_score(y))
    if not values:
        return 0.0, 1.0
    low, high = values[0], values[min(len(values) - 1, int(clip * len(values)))]
    lines = [y for one in series if one.shape is Shape.STEP for _, y in one.points if is_score(y)]
    high = max([high, *lines])
    air = next(air for air in (0.06 * (high - low), 0.1 * abs(high), 0.01) if air > LEAST_AIR)
    return low - air, high + air


def chart(
    series: Sequence[Series],
    width: int,
    height: int,
    *,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
    x_text: Callable[[float], str],
    x_name: str,
) -> list[Line]:
    """`height` lines of `width` cells: the values at the left, the grid, what is across below."""
    rows = height - 1
    low, high = y_range
    marks = ticks(low, high, max(2, rows // 3))
    digits = _digits(marks)
    label = max((len(_written(mark, digits)) for mark in marks), default=4)
    columns = width - label - 2
    if columns < 8 or rows < 2:
        return [[Said(" " * max(0, width))] for _ in range(max(0, height))]
    canvas = Canvas(columns, rows)
    left, right = x_range

    across = (2 * columns - 1) / ((right - left) or 1.0)
    down = (4 * rows - 1) / ((high - low) or 1.0)

    def place(points: Sequence[Point]) -> list[tuple[int, int]]:
        return [
            (round((x - left) * across), round((high - (low if y < low else min(y, high))) * down))
            for x, y in points
            if is_score(y)
        ]

    for one in series:
        _draw(canvas, one, place(one.points))
    for beside in (beside for one in series for beside in one.labels):
        for spot in place([beside.point]):
            any(canvas.write(*spot, text, Tone.DIM) for text in beside.texts)
    at = {
        min(rows - 1, y // 4): _written(mark, digits)
        for mark, (_, y) in zip(marks, place([(left, m) for m in marks]), strict=True)
    }
    lines: list[Line] = []
    for y in range(rows):
        axis = f"{at.get(y, ''):>{label}} {'┤' if y in at else '│'}"
        lines.append([Said(axis, Tone.DIM), *canvas.row(y)])
    lines.append([Said(_below(label + 2, columns, x_range, x_text, x_name), Tone.DIM)])
    return lines


def _draw(canvas: Canvas, one: Series, placed: Sequence[tuple[int, int]]) -> None:
    match one.shape:
        case Shape.DOTS:
            for x, y in placed:
                canvas.dot(x, y, one.tone)
        case Shape.SIGNS:
            for x, y in {(x // 2 * 2, y // 4 * 4) for x, y in placed}:  # thousands of points share a few hundred cells
                canvas.sign(x, y, one.sign, one.tone)
        case Shape.LINE:
            for (x0, y0), (x1, y1) in pairwise(placed):
                canvas.line(x0, y0, x1, y1, one.tone)
        case Shape.STEP:
            for (x0, y0), (x1, y1) in pairwise(placed):
                canvas.step(x0, y0, x1, y1, one.tone)


def _digits(marks: Sequence[float]) -> int:
    """Behind the point, so many that the marks are told apart and one by itself is told truly."""
    if not marks:
        return 2
    if len(marks) == 1:
        return max(1, len(f"{marks[0]:.{MOST_DIGITS}f}".rstrip("0").partition(".")[2]))
    return max(0, min(MOST_DIGITS, -math.floor(math.log10(marks[1] - marks[0]) + 1e-9)))


def _written(mark: float, digits: int) -> str:
    """A value beside the axis; one too small for these digits as a power of ten, as 0 it would be false."""
    text = f"{mark:.{digits}f}"
    return text if float(text) or not mark else f"{mark:.0e}"


def _below(indent: int, columns: int, x_range: tuple[float, float], text: Callable[[float], str], name: str) -> str:
    """The ends of what is across, its name between them."""
    first, last = text(x_range[0]), text(x_range[1])
    room = columns - len(first) - len(last)
    middle = name.center(room) if room >= len(name) + 2 else " " * max(0, room)
    return " " * indent + f"{first}{middle}{last}"[:columns]
