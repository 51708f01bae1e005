"""What the frame of a place says where several panes share it: the pane that is seen, and the others as tabs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len

from tui.arranging import PANES
from tui.tones import fit

BETWEEN = " │ "
FRAME = 6
"""Columns of a frame's upper edge that are no title."""

LEAST = 24
"""Columns of a heading that is cut, before the others are numbers."""


def titles(group: Sequence[str], shown: str, heading: str, tabs: Mapping[str, str], width: int) -> dict[str, str]:
    """What stands for each pane of the group in `width` columns: the heading of the one that is seen, the others' tabs.

    Where they do not fit the tabs become names, then the heading is cut, and last they become numbers.
    """
    others = [pane for pane in group if pane != shown]
    names = {pane: f"{PANES.index(pane) + 1} {pane}" for pane in others}
    numbers = {pane: str(PANES.index(pane) + 1) for pane in others}
    whole = cell_len(heading)
    for forms, least in (({pane: tabs[pane] for pane in others}, whole), (names, min(whole, LEAST)), (numbers, 0)):
        room = width - sum(cell_len(form) + len(BETWEEN) for form in forms.values())
        if room >= least:
            break
    cut = heading if whole <= room else fit(heading, max(1, room)).rstrip()
    return {pane: cut if pane == shown else forms[pane] for pane in group}
