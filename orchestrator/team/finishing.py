"""When a job that ends by `finish` may end: what it is for is done, and a model that stops early is told what is left.

Without that, a model that calls `finish` at once would get the very same job again, for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from roles.errors import ToolRefusal
from roles.tools import Answer, Handler

Missing = Callable[[], Awaitable[tuple[str, bool]]]
"""What is left of the job, in a sentence ("" for nothing), and whether the job may be ended all the same."""


def finish_when(missing: Missing, by: Sequence[str] = ()) -> Handler:
    """The handler of `finish`: refuses while something is missing; once only where the job may end without it. `by` are
    the tools that what is missing is done with."""
    told = False

    async def finish(arguments: dict[str, Any]) -> Answer:
        nonlocal told
        left, may_end = await missing()
        if left and not (told and may_end):
            told = True
            raise ToolRefusal(f"Not finished yet: {left}", [*by, *["finish"] * may_end])
        return Answer("Done.", finished=True)

    return finish


def proposals_missing(wanted: int, accepted: int) -> tuple[str, bool]:
    """Of a researcher's job; with some ideas accepted it may end, since more of them may not be there."""
    if accepted >= wanted:
        return "", True
    if not accepted:
        return f"no proposal is accepted yet. Call `propose` once for each of the {wanted} wanted ideas.", False
    return (
        f"{accepted} of {wanted} wanted proposals are accepted. Call `propose` for {wanted - accepted} more; if you"
        " have no further idea that is worth a run, call `finish` again."
    ), True


def decisions_missing(undecided: list[int]) -> tuple[str, bool]:
    """Of a planner's job, by the proposed experiments of its brief that are still so."""
    if not undecided:
        return "", True
    listed = ", ".join(map(str, undecided))
    return f"neither queued nor dropped: {listed}. Call `queue` or `drop` for each of them, then `finish`.", False
