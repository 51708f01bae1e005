"""Which panes stand where at which size. Pure functions over sizes in terminal cells.

small   up to 109 columns, less than 36 rows (80x24): the slots, and one pane; its frame names the others
tall    up to 109 columns, 36 rows and more: the slots, the plot, and one pane below it
short   110 columns and more, less than 30 rows: the slots, and two panes side by side
normal  110 columns and more (120x40): all of them, agents over plot beside results over queue
broad   160 columns and more (200x50): as normal, more for the plot
vast    220 columns and more: agents over plot, results, queue, in three columns
"""

from __future__ import annotations

PANES = ("slots", "agents", "results", "queue", "plot")
STRIP = "health"
SIZES = ("small", "tall", "short", "broad", "vast")

Group = tuple[str, ...]
"""Panes that share a place: one of them is seen, its frame names the others."""


def size_of(width: int, height: int) -> str:
    """One of SIZES, or `normal`."""
    if width < 110:
        return "tall" if height >= 36 else "small"
    if height < 30:
        return "short"
    if width >= 220:
        return "vast"
    return "broad" if width >= 160 else "normal"


def groups_of(size: str) -> tuple[Group, ...]:
    match size:
        case "small":
            return (("agents", "results", "queue", "plot"),)
        case "tall":
            return (("plot",), ("agents", "results", "queue"))
        case "short":
            return (("agents", "plot"), ("results", "queue"))
        case _:
            return (("agents",), ("results",), ("queue",), ("plot",))


def seen(size: str, pane: str, seen_last: dict[Group, str]) -> dict[Group, str]:
    """Which pane of each group is seen while the person is in `pane`; the slots bring the plot with them."""
    shown = {}
    for group in groups_of(size):
        wanted = "plot" if pane == "slots" and "plot" in group else pane
        fallback = "results" if "results" in group else group[0]
        shown[group] = wanted if wanted in group else seen_last.get(group, fallback)
    return shown


def slot_lines(slots: int, height: int) -> int:
    """Lines for the slots: one each, but never more than a fifth of the screen."""
    return max(1, min(slots, max(3, height // 5)))
