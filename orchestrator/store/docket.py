"""What early stopping has decided: which runs were condemned, why, and what that saved."""

from __future__ import annotations

from orchestrator.store.anomalies import AnomalyBook
from orchestrator.store.records import CondemnedRow, Finished, Run, utc_now


class Docket(AnomalyBook):
    """The part of the writer that keeps the condemned."""

    async def condemn(self, run: Run, share: float, reason: str, finished: Finished) -> None:
        """A run is without hope at `share` of its budget. Once a run."""
        async with self._change():
            await self._do(
                "INSERT INTO condemned (run_id, at, share, audited, reason) VALUES (?, ?, ?, ?, ?)",
                (run.id, utc_now(), share, int(finished), reason),
            )
            await self._event(
                "run", "autolab", reason, experiment_id=run.experiment_id, run_id=run.id, after="condemned"
            )

    async def close_condemned(self, run_id: int, finished: Finished, seconds_saved: float) -> None:
        """How the run of a condemned ended: finished after all, or stopped with so much budget left."""
        async with self._change():
            await self._do(
                "UPDATE condemned SET audited = ?, seconds_saved = ? WHERE run_id = ?",
                (int(finished), seconds_saved, run_id),
            )

    async def condemned(self) -> list[CondemnedRow]:
        return [CondemnedRow.from_row(row) for row in await self.rows("SELECT * FROM condemned ORDER BY run_id")]
