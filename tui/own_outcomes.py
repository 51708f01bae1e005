"""What came of the experiments of the person who sits here: told in the room as it happens."""

from __future__ import annotations

from orchestrator.store.ablations import has_measured
from orchestrator.store.reader import Reader
from orchestrator.store.records import Event, Experiment
from orchestrator.store.states import ENDED, State
from tui.present import event_text, plain

TOLD = ENDED - {State.DROPPED, State.KILLED}
"""Ends that come without the person's own doing."""


class OwnOutcomes:
    """Tells each end once, from the moment on at which it was asked first."""

    def __init__(self, person: str) -> None:
        self._person = person
        self._seq: int | None = None

    async def news(self, reader: Reader) -> list[tuple[str, bool]]:
        """Ends since the last look, oldest first, each in words and whether it is what was hoped for or asked for.
        Raises LabError."""
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
        told = []
        for event in map(Event.from_row, rows):
            experiment = await reader.experiment(event.experiment_id or 0)
            assert experiment is not None
            told.append((_words(event, experiment), event.after == State.PROMOTED or has_measured(event)))
        return told


def _words(event: Event, experiment: Experiment) -> str:
    if event.after == State.PROMOTED and experiment.is_revert:
        back = experiment.puts_back
        moved = f"{experiment.reverses} is out of master" if back is None else f"{back} is in master again"
        return f"Experiment {moved}, by your experiment {experiment.id}: {plain(event.why)}"
    return f"Your {event_text(event)}"
