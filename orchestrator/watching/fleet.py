"""The lab in figures, now: one point of the run `fleet` in the lab's Trackio project."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator import views
from orchestrator.store.reader import Reader
from orchestrator.store.records import seconds_since, utc_now
from orchestrator.store.states import WAITING, State


@dataclass(slots=True)
class _Sums:
    """What has been counted up to a row; only newer rows are read, since those of models hold long replies."""

    seq: int = 0
    anomalies: int = 0
    call: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0


@dataclass(frozen=True, slots=True)
class Point:
    """`step` is the whole seconds since the lab began, so that it grows for ever and says how old the lab was."""

    at: str
    step: int
    values: dict[str, float]


class Fleet:
    """Counts what has happened in the lab so far, and looks at what goes on."""

    def __init__(self, store: Reader) -> None:
        self._store = store
        self._sums = _Sums()
        self._began: str | None = None

    async def began(self) -> str:
        """When the lab was made (UTC, ISO 8601)."""
        if self._began is None:
            row = await self._store.row("SELECT at FROM events ORDER BY seq LIMIT 1")
            self._began = str(row["at"]) if row is not None else utc_now()
        return self._began

    async def step_at(self, at: str) -> int:
        """The step of the run `fleet` at a time; never below 0, whatever the clock did."""
        return max(0, int(seconds_since(await self.began(), at)))

    async def point(self) -> Point:
        """The present. What is not known yet (no score, no model called) is left out."""
        now = datetime.now(UTC)
        at = now.isoformat()
        values = await self._work() | await self._came_of_it() | await self._scores() | await self._spent()
        values["fleet/runs_per_hour"] = await views.runs_per_hour(self._store, now)
        return Point(at, await self.step_at(at), values)

    async def _work(self) -> dict[str, float]:
        counts = await self._store.counts()
        slots = await self._store.slots()
        return {
            "fleet/active_runs": len(await self._store.runs_underway()),
            "fleet/slots_busy": sum(slot.run_id is not None for slot in slots),
            "fleet/slots": len(slots),
            "fleet/queue_length": sum(counts[state] for state in WAITING),
            **{f"queue/{state}": counts[state] for state in (*WAITING, State.CONFIRMING)},
        }

    async def _came_of_it(self) -> dict[str, float]:
        sums, store = self._sums, self._store
        row = await store.row(
            "SELECT max(seq) AS seq, coalesce(sum(kind = 'anomaly'), 0) AS n FROM events WHERE seq > ?", (sums.seq,)
        )
        assert row is not None
        if row["seq"] is not None:
            sums.seq, sums.anomalies = int(row["seq"]), sums.anomalies + int(row["n"])
        promoted = await store.row(
            "SELECT count(*) AS n FROM experiments WHERE state = 'promoted' AND branch != 'master'"
        )
        assert promoted is not None
        return {
            "results/outcomes": await store.count_outcomes(),
            "results/promotions": int(promoted["n"]),
            "results/anomalies": sums.anomalies,
        }

    async def _scores(self) -> dict[str, float]:
        """Master's score, against the start, and how near the best other one has come to it; negative is better."""
        store, found = self._store, dict[str, float]()
        master = await views.scored_baseline(store)
        if master.val_bpb is None:
            return found
        found["score/best_val_bpb"] = master.val_bpb
        if master.gain is not None:
            found["score/difference_to_start"] = -master.gain
        row = await store.row(
            "SELECT min(delta) AS delta FROM experiments WHERE parent = ? AND state != 'promoted'", (master.commit,)
        )
        if row is not None and row["delta"] is not None:
            found["score/best_difference_to_master"] = float(row["delta"])
        return found

    async def _spent(self) -> dict[str, float]:
        sums = self._sums
        row = await self._store.row(
            "SELECT max(id) AS id, sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out, sum(money) AS money"
            " FROM calls WHERE id > ?",
            (sums.call,),
        )
        assert row is not None
        if row["id"] is not None:
            sums.call = int(row["id"])
            sums.tokens_in += int(row["tokens_in"])
            sums.tokens_out += int(row["tokens_out"])
            sums.money += float(row["money"])
        return {"spent/tokens_in": sums.tokens_in, "spent/tokens_out": sums.tokens_out, "spent/money": sums.money}
