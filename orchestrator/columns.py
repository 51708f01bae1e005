"""Columns that share a width: each says what it needs, what it would like, and how early it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; widths are terminal cells."""

    heading: str
    width: int  # the least it needs
    share: int = 0  # its part of what is left over
    most: int = 10_000  # no wider than this
    rank: int = 0  # the highest rank leaves first when the table is narrow
    right: bool = False  # numbers stand at the right
    above: int = 0  # only in tables wider than this


def fitted(columns: Sequence[Column], width: int, empty: frozenset[int] = frozenset()) -> list[tuple[int, int]]:
    """(index, width) of the columns that are shown, in their order; together with the gaps at most `width`.

    `empty` are columns that would show nothing; those with a rank above 0 are left out.
    """
    kept = [i for i, column in enumerate(columns) if width >= column.above and (i not in empty or column.rank <= 0)]
    while len(kept) > 1 and _needed([columns[i].width for i in kept]) > width:
        kept.remove(max(kept, key=lambda i: (columns[i].rank, i)))
    widths = {i: min(columns[i].width, max(0, width)) for i in kept}
    spare = width - _needed(list(widths.values()))
    while spare > 0:
        open_ones = [i for i in kept if columns[i].share and widths[i] < columns[i].most]
        if not open_ones:
            break
        total = sum(columns[i].share for i in open_ones)
        given = 0
        for i in open_ones:
            more = min(max(1, spare * columns[i].share // total), columns[i].most - widths[i], spare - given)
            widths[i] += more
            given += more
        spare -= given
    return [(i, widths[i]) for i in kept]


def _needed(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)
