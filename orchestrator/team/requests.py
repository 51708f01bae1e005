"""Follow-ups that the planner asks for and the researcher answers: events of kind `request`, open until met."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.store.reader import Reader
from orchestrator.store.writer import Writer

REQUEST = "request"
OPEN, MET = "open", "met"
MOST_OPEN = 3
"""That a brief tells, the newest; older ones have been passed over often enough."""


@dataclass(frozen=True, slots=True)
class Request:
    """A follow-up of `experiment_id` that was asked for, and why."""

    experiment_id: int
    reason: str


async def ask(store: Writer, experiment_id: int, reason: str, actor: str) -> None:
    await _tell(store, experiment_id, OPEN, reason, actor)


async def meet(store: Writer, experiment_id: int, by: int, actor: str) -> bool:
    """Experiment `by` answers the request; false when none was open."""
    if experiment_id not in {one.experiment_id for one in await open_requests(store, limit=1000)}:
        return False
    await _tell(store, experiment_id, MET, f"experiment {by} follows it up", actor)
    return True


async def _tell(store: Writer, experiment_id: int, after: str, reason: str, actor: str) -> None:
    await store.event(REQUEST, actor, reason, experiment_id=experiment_id, after=after)


async def open_requests(reader: Reader, limit: int = MOST_OPEN, *, team: str | None = None) -> list[Request]:
    """The newest requests that no proposal has met yet, oldest first; `team` takes those of its own experiments."""
    rows = await reader.rows(
        f"SELECT experiment_id, reason FROM events AS e WHERE kind = '{REQUEST}' AND after = '{OPEN}' AND NOT EXISTS"
        f" (SELECT 1 FROM events AS m WHERE m.kind = '{REQUEST}' AND m.experiment_id = e.experiment_id"
        " AND m.seq > e.seq) AND (? IS NULL OR experiment_id IN (SELECT id FROM experiments WHERE team = ?))"
        " ORDER BY seq DESC LIMIT ?",
        (team, team, limit),
    )
    return [Request(int(row["experiment_id"]), str(row["reason"])) for row in reversed(rows)]
