"""What changed since the person looked last: counted as events come, never twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from orchestrator.store.ablations import ABLATED, UNMERGED
from orchestrator.store.anomalies import over
from orchestrator.store.reader import Reader
from orchestrator.store.states import ENDED, MEASURED, State

_OF_A_REVERT = "experiment_id IN (SELECT id FROM experiments WHERE decision = 'merge')"
_OF_A_RETURN = "experiment_id IN (SELECT id FROM experiments WHERE puts_back IS NOT NULL)"
_OF_AN_ABLATION = f"experiment_id IN (SELECT id FROM experiments WHERE {ABLATED})"
_WHAT = (
    f"CASE WHEN kind != 'state' THEN kind WHEN after = 'promoted' AND {_OF_A_RETURN} THEN 'returned'"
    f" WHEN after = 'promoted' AND {_OF_A_REVERT} THEN 'reverted'"
    f" WHEN after IN ({', '.join(map(repr, map(str, UNMERGED)))}) AND {_OF_AN_ABLATION} THEN 'measured' ELSE after END"
)
"""What an event counts as: its kind, or what an experiment has become."""

_SCORE = "(SELECT val_bpb FROM experiments WHERE id = experiment_id)"


@dataclass(frozen=True, slots=True)
class Changes:
    """Counts since `since` (UTC, ISO 8601); scores in bits per byte."""

    since: str
    merged: int = 0  # wins
    reverted: int = 0  # wins taken out again
    returned: int = 0  # wins put back
    measured: int = 0  # without a win, to see what it is worth by now
    ended: int = 0  # experiments that came to another end
    failed: int = 0  # of these, without a score
    anomalies: int = 0  # that hold still
    best_then: float | None = None

    @property
    def any(self) -> bool:
        return any((self.merged, self.reverted, self.returned, self.measured, self.ended, self.anomalies))


class Changing:
    """Keeps the counts of one moment; a new moment begins anew."""

    def __init__(self, person: str = "") -> None:
        """What `person` (user@host) has ordered is no news to them."""
        self._person = person
        self._since = ""
        self._from = self._seq = 0
        self._counts: Counter[str] = Counter()
        self._scored: Counter[str] = Counter()  # of them, those whose experiment has a score
        self._best_then: float | None = None

    async def look(self, reader: Reader, since: str | None) -> Changes | None:
        """None for somebody who has never been here. Raises LabError."""
        if since is None:
            return None
        if since != self._since:
            self._since, self._best_then = since, None
            self._counts, self._scored = Counter(), Counter()
            before = await reader.row("SELECT seq FROM events WHERE at <= ? ORDER BY seq DESC LIMIT 1", (since,))
            self._from = self._seq = before["seq"] if before is not None else 0
        rows = await reader.rows(
            f"SELECT {_WHAT} AS what,"
            " count(*) AS n, max(seq) AS newest, total(kind = 'state' AND before = 'dropped') AS undone,"
            f" total(kind = 'state' AND {_SCORE} IS NOT NULL) AS scored FROM events"
            f" WHERE seq > ? AND NOT (kind = 'state' AND actor = ? AND NOT (after = 'promoted' AND {_OF_A_REVERT}))"
            " GROUP BY what",
            (self._seq, self._person),
        )
        for row in rows:
            self._counts[row["what"] or ""] += row["n"]
            self._scored[row["what"] or ""] += int(row["scored"])
            self._counts[State.DROPPED] -= int(row["undone"])  # or requeued: it is on its way again
            self._seq = max(self._seq, row["newest"])
        if rows or self._best_then is None:  # master's score then is known better with each run of it since
            self._best_then = await _best_at(reader, since)
        counts = self._counts
        ends = [state for state in ENDED if state is not State.PROMOTED]
        return Changes(
            since=since,
            merged=counts[State.PROMOTED],
            reverted=counts["reverted"],
            returned=counts["returned"],
            measured=counts["measured"],
            ended=sum(max(0, counts[state]) for state in ends),
            failed=sum(max(0, counts[state] - self._scored[state]) for state in ends if state not in MEASURED),
            anomalies=counts["anomaly"] - sum(seq > self._from for seq in await over(reader)),
            best_then=self._best_then,
        )


async def _best_at(reader: Reader, at: str) -> float | None:
    row = await reader.row(
        "SELECT e.val_bpb FROM masters AS m JOIN experiments AS e ON e.id = m.experiment_id WHERE m.at <= ?"
        " ORDER BY m.seq DESC LIMIT 1",
        (at,),
    )
    return None if row is None else row["val_bpb"]
