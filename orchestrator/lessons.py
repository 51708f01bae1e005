"""What the agents make of single results: events of kind `lesson`, kept with the experiment that they speak of."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.store.reader import Reader
from orchestrator.store.records import REVERSAL, Experiment
from orchestrator.store.states import RAN

LESSON = "lesson"


async def lessons_of(reader: Reader, experiment_ids: Sequence[int]) -> dict[int, str]:
    """The newest lesson of each of the experiments that has one."""
    found: dict[int, str] = {}
    for start in range(0, len(experiment_ids), 500):
        part = experiment_ids[start : start + 500]
        for row in await reader.rows(
            f"SELECT experiment_id, reason FROM events WHERE kind = '{LESSON}'"
            f" AND experiment_id IN ({', '.join('?' for _ in part)}) ORDER BY seq",
            list(part),
        ):
            found[int(row["experiment_id"])] = str(row["reason"])
    return found


async def without_lesson(reader: Reader, limit: int, *, team: str | None = None) -> list[Experiment]:
    """The newest experiments that ran and of which nobody has written yet what they teach, oldest first; `team` takes
    that team's alone."""
    rows = await reader.rows(
        f"SELECT * FROM experiments AS e WHERE id > 0 AND branch != 'master'"
        f" AND source NOT LIKE '{REVERSAL}%' AND state IN ({', '.join('?' for _ in RAN)})"
        f" AND NOT EXISTS (SELECT 1 FROM events WHERE events.experiment_id = e.id AND kind = '{LESSON}')"
        " AND (? IS NULL OR team = ?) ORDER BY updated_at DESC LIMIT ?",
        [*map(str, RAN), team, team, limit],
    )
    return [Experiment.from_row(row) for row in reversed(rows)]
