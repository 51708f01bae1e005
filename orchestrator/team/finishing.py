"""When a job that ends by `finish` may end: what it is for is done, and a model that stops early is told what is left.

Without that, a model that calls `finish` at once would get the very same job again, for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from roles.errors import Choices, ToolRefusal
from roles.tools import Answer, Handler, Tool


@dataclass(frozen=True, slots=True)
class Missing:
    """What is left of a job, in a sentence ("" for nothing); the tools that it is done with, each with the values that
    its arguments may have; and whether the job may be ended all the same."""

    told: str = ""
    by: Mapping[str, Choices] = field(default_factory=dict)
    may_end: bool = False


def finish_when(missing: Callable[[], Awaitable[Missing]]) -> Handler:
    """The handler of `finish`: refuses while something is missing; once only where the job may end without it."""
    told = False

    async def finish(arguments: dict[str, Any]) -> Answer:
        nonlocal told
        left = await missing()
        if left.told and not (told and left.may_end):
            told = True
            raise ToolRefusal(f"Not finished yet: {left.told}", {**left.by, **({"finish": {}} if left.may_end else {})})
        return Answer("Done.", finished=True)

    return finish


def counting(tool: Tool, missing: Callable[[], Awaitable[Missing]], ending: str = "finish") -> Tool:
    """The tool, whose answers and refusals say what is left of the job that `ending` ends."""

    async def answer(arguments: dict[str, Any]) -> Answer:
        try:
            came = await tool.handler(arguments)
        except ToolRefusal as refusal:
            left = await missing()
            then = refusal.then or {**left.by, **({ending: {}} if left.may_end or not left.by else {})}
            raise ToolRefusal(f"{refusal} {told_left(left, ending)}", then) from None
        return replace(came, text=f"{came.text} {told_left(await missing(), ending)}")

    return replace(tool, handler=answer)


def told_left(left: Missing, ending: str) -> str:
    """What is left of a job, in a sentence."""
    return (
        f"Left of the job: {left.told}" if left.told else f"Nothing is left that must be done: `{ending}` ends the job."
    )


def proposals_missing(wanted: int, accepted: int) -> Missing:
    """Of a researcher's job; with some ideas accepted it may end, since more of them may not be there."""
    if accepted >= wanted:
        return Missing()
    if not accepted:
        told = f"no proposal is accepted yet. Call `propose` once for each of the {wanted} wanted ideas."
        return Missing(told, {"propose": {}})
    told = (
        f"{accepted} of {wanted} wanted proposals are accepted. Call `propose` for {wanted - accepted} more; if you"
        " have no further idea that is worth a run, call `finish` again."
    )
    return Missing(told, {"propose": {}}, may_end=True)


def decisions_missing(undecided: Sequence[int]) -> Missing:
    """Of a planner's job, by the proposed experiments of its brief that are still so."""
    if not undecided:
        return Missing()
    listed = ", ".join(map(str, undecided))
    told = f"neither queued nor dropped: {listed}. Call `queue` or `drop` for each of them, then `finish`."
    return Missing(told, {"queue": {"id": undecided}, "drop": {"id": undecided}})


def lessons_missing(untold: Sequence[int]) -> Missing:
    """Of a reviewer's wave, by the results of which nobody has written what they teach; it may end without."""
    if not untold:
        return Missing()
    listed = ", ".join(map(str, untold))
    told = (
        f"what experiments {listed} teach is not written down yet. Call `lesson` once for each of them, all in one"
        " reply if you like, then `hand_over`."
    )
    return Missing(told, {"lesson": {"id": untold}}, may_end=True)
