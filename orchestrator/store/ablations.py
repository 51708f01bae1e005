"""Master without one of its wins: what only measures it ends unmerged and is no idea that failed; a win that is out is
no part of master.

Their states are those of any experiment; what is told of them to people goes by what they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.store.records import REVERSAL, Decision, Event, Experiment
from orchestrator.store.states import State, in_words

ABLATION = "measured"
"""What people read in place of the state of one that has ended with its figure."""

OUT = "taken out"
"""What people read in place of the state of a win that a revert has taken out of master again."""

WORTH = "measures as worth"
"""What the reason says of the win that was left out."""

MERGED = "merged"
"""What people read of wins where they are counted: the state `promoted` is also that of the start and of reverts."""

UNMERGED = (State.DISCARDED, State.NOT_CONFIRMED)

ABLATED = (
    f"(source LIKE '{REVERSAL}%' AND patch IS NOT NULL AND decision = '{Decision.NONE}'"
    f" AND state IN ({', '.join(map(repr, map(str, UNMERGED)))}))"
)
"""The condition in SQL, of rows of `experiments`."""


def is_ablation(state: str, source: str) -> bool:
    """Whether an experiment of this state and source has found what a win is still worth."""
    return state in UNMERGED and source.startswith(REVERSAL)


def has_measured(event: Event) -> bool:
    """Whether it is the end of one that has found what a win is still worth."""
    return event.after in UNMERGED and WORTH in event.reason


def become(event: Event) -> str:
    """What an experiment has become by an event of the kind "state", in words for people."""
    return ABLATION if has_measured(event) else in_words(event.after or "")


def counts_told(
    counts: dict[str, int], ablations: Sequence[Experiment], promotions: Sequence[Experiment] = ()
) -> list[str]:
    """How many experiments are in each state, in words; the ablations by themselves, at the end, and the reverts that
    are among the promotions."""
    back = [one for one in promotions if one.puts_back is not None]
    out = [one for one in promotions if one.is_revert and one.puts_back is None]
    apart = [*ablations, *back, *out]
    ideas = {state: number - sum(one.state == state for one in apart) for state, number in counts.items()}
    told = [
        f"{number} {MERGED if state == State.PROMOTED else in_words(state)}"
        for state, number in ideas.items()
        if number > 0
    ]
    named = ((ablations, ABLATION), (out, OUT), (back, "put back"))
    return [*told, *(f"{len(these)} {word}" for these, word in named if these)]
