"""What the offline model does as the planner: it orders the queue by hoped-for gain, wishes and the balance."""

from __future__ import annotations

import re

from roles.chat import ToolCall
from roles.offline.catalogue import idea_of
from roles.offline.transcript import Block, Call, Turn, blocks, make

NEW_FIRST = 50
"""Priority on top for a new direction: before the refinements, and after what a person orders."""


def plan(brief: str, made: list[Call], tools: set[str]) -> Turn:
    """Queue by the hoped-for gain; the reviewer's priorities come on top; two near misses are tried together."""
    further = _further(brief, made, tools)
    if any(call.name in ("queue", "drop") for call in made):
        if further:
            return Turn("Beside the queue.", further)
        return Turn("The queue is in order.", (make("finish", 1000, summary="planned"),))
    wishes = {
        int(match.group(1)): int(match.group(2))
        for match in re.finditer(r"^Experiment (\d+): priority (-?\d+), because", brief, re.MULTILINE)
    }
    new = _new_directions(brief)
    orders = [
        make(
            "queue",
            number,
            id=block.id,
            priority=wishes.pop(block.id, _hoped(block)) + (NEW_FIRST if block.id in new else 0),
            reason="a new direction: nothing has won for a long time" if block.id in new else _why(block),
        )
        for number, block in enumerate(blocks(brief), start=1)
    ]
    orders += [
        make("queue", 500 + number, id=experiment_id, priority=priority, reason="the reviewer's wish")
        for number, (experiment_id, priority) in enumerate(wishes.items())
    ]
    if not orders and further:
        return Turn("Beside the queue.", further)
    if not orders:
        return Turn("Nothing to plan.", (make("finish", 1000, summary="nothing to plan"),))
    return Turn(f"I order {len(orders)} experiments by the gain to be hoped for.", tuple(orders))


def _new_directions(brief: str) -> set[int]:
    """The proposals that explore, while a plateau asks for more of them than there were lately."""
    asked = re.search(r"give about (\d+)% of the runs to new directions", brief)
    had = re.search(r"of the last \d+ experiments (\d+)% did", brief)
    listed = re.search(r"Of the proposals these explore: ([\d, ]+)\.", brief)
    if asked is None or listed is None or (had is not None and int(had[1]) >= int(asked[1])):
        return set()
    return {int(number) for number in listed[1].split(", ")}


def _further(brief: str, made: list[Call], tools: set[str]) -> tuple[ToolCall, ...]:
    """What is to be called once, beside the queue."""
    called = {call.name for call in made}
    if "state_balance" in tools - called and "nobody has stated" in brief:
        reason = "the catalogue's ideas come first, then the constants"
        return (make("state_balance", 600, exploring=0.6, reason=reason),)
    near = re.findall(r"^- (\d+) .*: not_confirmed -0\.\d+ ", brief, re.MULTILINE)
    if "combine" in tools - called and len(near) >= 2 and not re.search(r"\d+ and \d+ together: ", brief):
        first, second = sorted(map(int, near[:2]))
        reason = "each fell just short of the noise; together they may stand out of it"
        return (make("combine", 601, first=first, second=second, priority=15, reason=reason),)
    return ()


def _hoped(block: Block) -> int:
    idea = idea_of(block.title)
    return 0 if idea is None else round(100 * idea.expected)


def _why(block: Block) -> str:
    return "by the gain that its source lets hope for" if idea_of(block.title) else "after the catalogue's ideas"
