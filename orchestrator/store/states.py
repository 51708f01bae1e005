"""An experiment's life (DESIGN 7): its states and the only moves between them.

    proposed -> queued -> patching -> ready -> running -> scored -> confirming -> promoted
                  |          |          |         |          |           |
               dropped    given_up   rejected   killed    discarded  not_confirmed
                                                crashed
                                                pruned, invalid, lost

Besides these arrows, an experiment goes back when master moved under it (`scored`, `confirming`, `ready` ->
`ready` or `queued`), when the daemon died while an agent held it (`patching` -> `queued`), and, as a new attempt,
when a person requeues it or a worker is to mend a crash (`crashed` -> `queued`).
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    PROPOSED = "proposed"
    QUEUED = "queued"
    PATCHING = "patching"
    READY = "ready"
    RUNNING = "running"
    SCORED = "scored"
    CONFIRMING = "confirming"
    PROMOTED = "promoted"
    DROPPED = "dropped"
    GIVEN_UP = "given_up"
    REJECTED = "rejected"
    KILLED = "killed"
    CRASHED = "crashed"
    PRUNED = "pruned"
    INVALID = "invalid"
    LOST = "lost"
    DISCARDED = "discarded"
    NOT_CONFIRMED = "not_confirmed"


FAILED_RUN = frozenset({State.KILLED, State.CRASHED, State.PRUNED, State.INVALID, State.LOST})
"""States that a run which gave no score leads to."""

MEASURED = frozenset({State.PROMOTED, State.DISCARDED, State.NOT_CONFIRMED})
"""States that a run which gave a score ends in."""

RAN = FAILED_RUN | MEASURED
"""Outcomes: the experiment ran, and that is what came of it. `autolab run --experiments N` counts these."""

ENDED = RAN | {State.DROPPED, State.GIVEN_UP, State.REJECTED}
"""Nothing more happens by itself; a person may requeue."""

NOT_STARTED = "not_started"
"""The outcome of a run whose supervisor never came to life; it costs nothing."""
STOPPED = "stopped"
"""The outcome of a run that was killed with the whole lab."""
ASKED_AGAIN = frozenset({NOT_STARTED, STOPPED})
"""Outcomes of runs that say nothing of a patch: the same run is asked for again."""

WAITING = (State.PROPOSED, State.QUEUED, State.PATCHING, State.READY)
"""Listed by `autolab queue`."""

EDITABLE = frozenset({State.PROPOSED, State.QUEUED, State.READY})
"""Waits in nobody's hands: a person may change what is to be tried."""

ACTIVE = (State.RUNNING, State.SCORED, State.CONFIRMING)
"""Has started a run and has no outcome yet."""

_FORWARD: dict[State, frozenset[State]] = {
    State.PROPOSED: frozenset({State.QUEUED, State.DROPPED}),
    State.QUEUED: frozenset({State.PATCHING, State.READY, State.DROPPED}),
    State.PATCHING: frozenset({State.READY, State.QUEUED, State.GIVEN_UP, State.REJECTED, State.DROPPED}),
    State.READY: frozenset({State.RUNNING, State.READY, State.QUEUED, State.REJECTED, State.DROPPED}),
    State.RUNNING: frozenset({State.SCORED, State.READY}) | FAILED_RUN,
    State.SCORED: frozenset({State.CONFIRMING, State.DISCARDED, State.READY, State.QUEUED}),
    State.CONFIRMING: frozenset({State.PROMOTED, State.NOT_CONFIRMED, State.READY, State.QUEUED}) | FAILED_RUN,
    State.PROMOTED: frozenset(),
    # A person's decision: `autolab promote` and `autolab requeue`.
    State.DISCARDED: frozenset({State.PROMOTED, State.QUEUED, State.READY}),
    State.NOT_CONFIRMED: frozenset({State.PROMOTED, State.QUEUED, State.READY}),
    State.DROPPED: frozenset({State.QUEUED, State.READY, State.PROPOSED, State.PATCHING}),  # `undo`: as it waited
    State.GIVEN_UP: frozenset({State.QUEUED, State.READY}),
    State.REJECTED: frozenset({State.QUEUED, State.READY}),
    State.KILLED: frozenset({State.QUEUED, State.READY}),
    State.CRASHED: frozenset({State.QUEUED, State.READY}),
    State.PRUNED: frozenset({State.QUEUED, State.READY}),
    State.INVALID: frozenset({State.QUEUED, State.READY}),
    State.LOST: frozenset({State.QUEUED, State.READY}),
}


class IllegalMove(Exception):
    """A programming error: no such arrow in the chart."""


def successors(state: State) -> frozenset[State]:
    """The states that an experiment in `state` may move to next."""
    return _FORWARD[state]


def in_words(state: str) -> str:
    """A state as people read it."""
    return str(state).replace("_", " ")


def beside(state: str | None, reason: str) -> str:
    """A reason for where the state's own word stands beside it: without that word in front."""
    word = f"{state or ''}:".replace("_", " ")
    return reason[len(word) :].lstrip() if state and reason.startswith(word) else reason


def check_move(before: State, after: State) -> None:
    """Raise IllegalMove unless the chart has the arrow `before -> after`."""
    if after not in _FORWARD[before]:
        raise IllegalMove(f"an experiment cannot go from {before} to {after}")
