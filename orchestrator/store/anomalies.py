"""Anomalies by what they tell of, and which of those that were told hold still."""

from __future__ import annotations

from collections.abc import Collection

from orchestrator.store.reader import Reader
from orchestrator.store.records import Event, Level
from orchestrator.store.roster import Roster

TOLD_AGAIN = "SELECT seq FROM anomalies AS one WHERE seq < (SELECT max(seq) FROM anomalies WHERE key = one.key)"
"""The sequence numbers of the anomalies of which a later one says how it went on."""


async def standing(reader: Reader, limit: int) -> list[Event]:
    """The newest anomalies that are not known to be over, newest first."""
    rows = await reader.rows(
        "SELECT * FROM events WHERE kind = 'anomaly' AND seq NOT IN (SELECT seq FROM anomalies WHERE NOT holds)"
        " ORDER BY seq DESC LIMIT ?",
        (limit,),
    )
    return [Event.from_row(row) for row in rows]


async def over(reader: Reader) -> set[int]:
    """The sequence numbers of the anomalies that hold no more, or were told again since."""
    return {int(row["seq"]) for row in await reader.rows("SELECT seq FROM anomalies WHERE NOT holds")}


class AnomalyBook(Roster):
    """The part of the writer that keeps what anomalies tell of. One of a result never passes, and has no key here."""

    async def tell_anomaly(
        self, key: str, sentence: str, *, experiment_id: int | None = None, level: Level | None = None
    ) -> None:
        """Tell of it; what was told of `key` before is over. No key: it never passes."""
        async with self._change():
            await self._event("anomaly", "autolab", sentence, experiment_id=experiment_id, after=level)
            if key:
                await self._do("UPDATE anomalies SET holds = 0 WHERE key = ? AND holds", (key,))
                await self._do("INSERT INTO anomalies (seq, key) SELECT max(seq), ? FROM events", (key,))

    async def hold_anomalies(self, keys: Collection[str]) -> None:
        """Of what was told, what holds now: the last of each of these keys. Writes only what changes."""
        rows = await self.rows("SELECT max(seq) AS seq, key, holds FROM anomalies GROUP BY key")
        changed = [(row["seq"], row["key"] in keys) for row in rows if bool(row["holds"]) != (row["key"] in keys)]
        if changed:
            async with self._change():
                for seq, holds in changed:
                    await self._do("UPDATE anomalies SET holds = ? WHERE seq = ?", (int(holds), seq))
