"""The events that a person would want to be told of: outcomes, merges, orders, and what looks wrong."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.runs.result import FAILED
from orchestrator.store.reader import Reader
from orchestrator.store.records import Event
from orchestrator.store.states import ENDED

TOLD = ("master", "lab", "command", "letter", "note", "anomaly")
MOST = 500

_ANSWERED = (
    "(kind IN ('lab', 'agent') AND EXISTS (SELECT 1 FROM events AS next WHERE next.seq = events.seq + 1"
    " AND next.kind = 'command' AND next.actor = events.actor))"
)

_FAILED = ", ".join(repr(str(outcome)) for outcome in sorted(FAILED))
_OF_MASTER = (
    f"(kind = 'run' AND after IN ({_FAILED})"
    " AND experiment_id IN (SELECT id FROM experiments WHERE state = 'promoted'))"
)
"""A run of what is in master that has failed: no state tells of it."""

_SAID = (  # a merge is an event of the experiment and one of master
    "(kind = 'master' AND EXISTS (SELECT 1 FROM events AS merge WHERE merge.kind = 'state' AND merge.after = 'promoted'"
    " AND merge.experiment_id = events.experiment_id AND merge.reason = events.reason)"
    " AND experiment_id NOT IN (SELECT id FROM experiments WHERE branch = 'master'))"
)

_BEGUN = "(after IS 'promoted' AND experiment_id IN (SELECT id FROM experiments WHERE branch = 'master'))"


async def events_of_interest(reader: Reader, since: str) -> list[Event]:
    """All of them since then (UTC, ISO 8601; empty: ever), newest first, at most MOST. Raises LabError.

    An order that halts the queue or an agent is one event here, not that and its answer; so is a merge. A starting
    point has been promoted by nobody.
    """
    ends = [str(state) for state in ENDED]
    rows = await reader.rows(
        f"SELECT * FROM events WHERE at > ? AND (kind IN ({', '.join('?' * len(TOLD))}) OR kind = 'agent'"
        f" OR {_OF_MASTER} OR kind = 'state' AND after IN ({', '.join('?' * len(ends))})) AND NOT {_ANSWERED}"
        f" AND NOT {_BEGUN} AND NOT {_SAID}"
        " ORDER BY seq DESC LIMIT ?",
        (since, *TOLD, *ends, MOST),
    )
    return [Event.from_row(row) for row in rows]


def told_once(events: Sequence[Event]) -> list[Event]:
    """Events, oldest first, of one experiment or of several. What is told of a run or of master and then as the
    experiment's new state too, or the other way round, is one thing: its state."""
    told: list[Event] = []
    last: dict[int | None, int] = {}  # where the last one of each experiment is
    for event in events:
        place = last.get(event.experiment_id)
        if place is None or not _repeats(told[place], event):
            last[event.experiment_id] = len(told)
            told.append(event)
        elif event.kind == "state":
            told[place] = event
    return told


def _repeats(before: Event, event: Event) -> bool:
    """Whether both tell the same of one experiment: a state may add to what a run says of its end."""
    if (before.kind == "state") == (event.kind == "state") or before.actor != event.actor or not before.reason:
        return False
    return event.reason.startswith(before.reason)
