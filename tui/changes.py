"""What changed since the person looked last, as events come: each experiment counts once, by its last end."""

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

_ENDS = ", ".join(map(repr, map(str, sorted(ENDED))))
_UNMERGED = ENDED - {State.PROMOTED}
_COUNTED = {*map(str, ENDED), "returned", "reverted", "measured"}

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
        self._anomalies = 0
        self._ends: dict[int, tuple[str, bool]] = {}  # by experiment: what it has become, and whether it has a score
        self._best_then: float | None = None

    async def look(self, reader: Reader, since: str | None) -> Changes | None:
        """None for somebody who has never been here. Raises LabError."""
        if since is None:
            return None
        if since != self._since:
            self._since, self._best_then = since, None
            self._anomalies, self._ends = 0, {}
            before = await reader.row("SELECT seq FROM events WHERE at <= ? ORDER BY seq DESC LIMIT 1", (since,))
            self._from = self._seq = before["seq"] if before is not None else 0
        newest = await reader.row("SELECT max(seq) AS seq FROM events WHERE seq >= ?", (self._seq,))
        newest_seq = self._seq if newest is None or newest["seq"] is None else int(newest["seq"])
        rows = await reader.rows(
            f"SELECT kind, experiment_id AS id, {_WHAT} AS what, {_SCORE} IS NOT NULL AS scored,"
            f" (actor = ? AND NOT (after = 'promoted' AND {_OF_A_REVERT})) AS own FROM events"
            " WHERE seq > ? AND seq <= ? AND"
            f" (kind = 'anomaly' OR kind = 'state' AND (after IN ({_ENDS}) OR before IN ({_ENDS}))) ORDER BY seq",
            (self._person, self._seq, newest_seq),
        )
        self._seq = newest_seq
        for row in rows:
            if row["kind"] == "anomaly":
                self._anomalies += 1
            elif row["own"] or row["what"] not in _COUNTED:  # no news, or on its way again
                self._ends.pop(row["id"], None)
            else:
                self._ends[row["id"]] = row["what"], bool(row["scored"])
        if rows or self._best_then is None:  # master's score then is known better with each run of it since
            self._best_then = await _best_at(reader, since)
        counts = Counter(what for what, _ in self._ends.values())
        return Changes(
            since=since,
            merged=counts["promoted"],
            reverted=counts["reverted"],
            returned=counts["returned"],
            measured=counts["measured"],
            ended=sum(counts[state] for state in _UNMERGED),
            failed=sum(not scored for what, scored in self._ends.values() if what in _UNMERGED - MEASURED),
            anomalies=self._anomalies - sum(seq > self._from for seq in await over(reader)),
            best_then=self._best_then,
        )


async def _best_at(reader: Reader, at: str) -> float | None:
    """None also where other settings count now: the two do not compare."""
    row = await reader.row(
        "SELECT e.val_bpb, e.ground = (SELECT e.ground FROM masters AS m JOIN experiments AS e"
        " ON e.id = m.experiment_id ORDER BY m.seq DESC LIMIT 1) AS alike"
        " FROM masters AS m JOIN experiments AS e ON e.id = m.experiment_id"
        " WHERE m.at <= ? ORDER BY m.seq DESC LIMIT 1",
        (at,),
    )
    return row["val_bpb"] if row is not None and row["alike"] else None
