"""A unified diff side by side: what was at the left, what is at the right. Pairing is a pure function."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from rich.cells import chop_cells
from rich.style import Style
from rich.text import Text

from orchestrator.runs.log_text import inert
from tui.diffs import MOST_LINES, coloured_code

GUTTER = 7  # the line's number, a gap, and the sign
BETWEEN = " │ "
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


class Kind(StrEnum):
    FILE = "file"
    HUNK = "hunk"
    SAME = "same"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Pair:
    """One line of the screen: (number, text) of either side, None where there is nothing; headings are left."""

    kind: Kind
    left: tuple[int, str] | None
    right: tuple[int, str] | None = None


def pairs(diff: str) -> list[Pair]:
    """Removed lines stand beside the added ones that follow them."""
    made: list[Pair] = []
    removed: list[tuple[int, str]] = []
    added: list[tuple[int, str]] = []
    left = right = 0
    in_hunk = False

    def settle() -> None:
        for place in range(max(len(removed), len(added))):
            old = removed[place] if place < len(removed) else None
            new = added[place] if place < len(added) else None
            made.append(Pair(Kind.CHANGED, old, new))
        removed.clear()
        added.clear()

    for line in inert(diff).splitlines():
        found = _HUNK.match(line)
        if found is not None:
            settle()
            left, right, in_hunk = int(found[1]), int(found[2]), True
            made.append(Pair(Kind.HUNK, (0, line)))
        elif line.startswith("diff "):
            settle()
            in_hunk = False
            made.append(Pair(Kind.FILE, (0, line.rpartition(" b/")[2] or line)))
        elif not in_hunk or line.startswith("\\"):
            continue
        elif line.startswith("-"):
            if added:
                settle()
            removed.append((left, line[1:]))
            left += 1
        elif line.startswith("+"):
            added.append((right, line[1:]))
            right += 1
        else:
            settle()
            made.append(Pair(Kind.SAME, (left, line[1:]), (right, line[1:])))
            left, right = left + 1, right + 1
    settle()
    return made


def split_diff(diff: str, colours: dict[str, str], width: int) -> Text:
    """The pairs in `width` cells; a line that is too long goes on below itself."""
    half = max(GUTTER + 8, (width - len(BETWEEN)) // 2)
    text = Text(no_wrap=True, overflow="crop")
    found = pairs(diff)
    for pair in found[:MOST_LINES]:
        for line in _painted(pair, colours, half):
            text.append_text(line)
            text.append("\n")
    if len(found) > MOST_LINES:
        text.append(f"… {len(found) - MOST_LINES:,} more lines", Style(color=colours["dim"]))
    return text


def _painted(pair: Pair, colours: dict[str, str], half: int) -> list[Text]:
    """The lines of the screen that a pair takes."""
    if pair.kind in (Kind.FILE, Kind.HUNK):
        assert pair.left is not None
        words = Text(pair.left[1], Style(color=colours["live" if pair.kind is Kind.HUNK else "strong"]))
        words.truncate(2 * half, overflow="ellipsis")
        return [words]
    changed = pair.kind is Kind.CHANGED
    left = _half(pair.left, "-" if changed else " ", "removed", "bad", colours, half)
    right = _half(pair.right, "+" if changed else " ", "added", "good", colours, half)
    lines = []
    for old, new in zip_longest(left, right, fillvalue=Text(" " * half)):
        line = old.copy()
        line.append(BETWEEN, Style(color=colours["border"]))
        line.append_text(new)
        lines.append(line)
    return lines


def _half(
    side: tuple[int, str] | None, sign: str, ground: str, tone: str, colours: dict[str, str], width: int
) -> list[Text]:
    if side is None:
        return [Text(" " * width)]
    number, words = side
    room = width - GUTTER
    pieces = chop_cells(words.expandtabs(4), room) or [""]
    code, halves, begin = coloured_code("".join(pieces), colours), [], 0
    for piece in pieces:
        half = Text(f"{number:>4} " if not begin else " " * 5, Style(color=colours["dim"]))
        half.append(f"{sign} ", Style(color=colours[tone], bold=True) if sign != " " else None)
        part = code[begin : begin + len(piece)]
        part.truncate(room, pad=True)
        half.append_text(part)
        begin += len(piece)
        if sign != " ":
            half.stylize(Style(bgcolor=colours[ground]))
        halves.append(half)
    return halves
