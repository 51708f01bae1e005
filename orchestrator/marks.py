"""What must stand beside the scores of a lab: nothing where Autolab measured them, else whose word they are."""

from __future__ import annotations

from orchestrator.store.reader import Reader
from orchestrator.targets.target import SELF_REPORTED, SIGN_CHANGED, Direction

DIRECTION = "direction"
"""The key in `meta` of which way the metric of a script gets better."""


async def is_self_reported(reader: Reader) -> bool:
    """Whether the lab's scores are what its target prints of itself (kind "script"), not what a scorer measured."""
    return await reader.meta("target", "nanogpt") == "script"


async def score_mark(reader: Reader) -> str:
    """The mark of all scores of the lab, in a few words; empty where a scorer measured them."""
    if not await is_self_reported(reader):
        return ""
    return SIGN_CHANGED if await reader.meta(DIRECTION) == Direction.MAXIMISE else SELF_REPORTED


def behind(mark: str) -> str:
    """A mark as it stands behind a title."""
    return f" [{mark}]" if mark else ""


def scores_told(mark: str) -> str:
    """A mark as a sentence for people; empty without one."""
    if not mark:
        return ""
    sign = "; the sign of what is maximised is changed, so less is better" if mark == SIGN_CHANGED else ""
    return f"self-reported: what the program prints of itself{sign}"
