"""The events that a person would want to be told of: outcomes, merges, orders, and what looks wrong."""

from __future__ import annotations

from orchestrator.store.reader import Reader
from orchestrator.store.records import Event
from orchestrator.store.states import ENDED

TOLD = ("master", "lab", "command", "letter", "note", "anomaly")
MOST = 500

_ANSWERED = (
    "(kind IN ('lab', 'agent') AND EXISTS (SELECT 1 FROM events AS next WHERE next.seq = events.seq + 1"
    " AND next.kind = 'command' AND next.actor = events.actor))"
)

_BEGUN = "(after IS 'promoted' AND experiment_id IN (SELECT id FROM experiments WHERE branch = 'master'))"


async def events_of_interest(reader: Reader, since: str) -> list[Event]:
    """All of them since then (UTC, ISO 8601; empty: ever), newest first, at most MOST. Raises LabError.

    An order that halts the queue or an agent is one event here, not that and its answer; and a starting point has been
    promoted by nobody.
    """
    ends = [str(state) for state in ENDED]
    rows = await reader.rows(
        f"SELECT * FROM events WHERE at > ? AND (kind IN ({', '.join('?' * len(TOLD))}) OR kind = 'agent'"
        f" OR kind = 'state' AND after IN ({', '.join('?' * len(ends))})) AND NOT {_ANSWERED} AND NOT {_BEGUN}"
        " ORDER BY seq DESC LIMIT ?",
        (since, *TOLD, *ends, MOST),
    )
    return [Event.from_row(row) for row in rows]
