"""What came of the experiments of the person who sits here: told in the room as it happens."""

from __future__ import annotations

from orchestrator.store.reader import Reader
from orchestrator.store.records import Event
from orchestrator.store.states import ENDED, State

TOLD = ENDED - {State.DROPPED, State.KILLED}
"""Ends that come without the person's own doing."""


class OwnOutcomes:
    """Tells each end once, from the moment on at which it was asked first."""

    def __init__(self, person: str) -> None:
        self._person = person
        self._seq: int | None = None

    async def news(self, reader: Reader) -> list[Event]:
        """Ends since the last look, oldest first. Raises LabError."""
        newest = await reader.row("SELECT coalesce(max(seq), 0) AS seq FROM events")
        before, self._seq = self._seq, newest["seq"] if newest is not None else 0
        if before is None or before == self._seq:
            return []
        rows = await reader.rows(
            "SELECT events.* FROM events JOIN experiments ON experiments.id = events.experiment_id"
            " WHERE events.seq > ? AND events.seq <= ? AND events.kind = 'state' AND experiments.author = ?"
            f" AND events.after IN ({', '.join('?' for _ in TOLD)}) ORDER BY events.seq",
            (before, self._seq, self._person, *map(str, TOLD)),
        )
        return [Event.from_row(row) for row in rows]
