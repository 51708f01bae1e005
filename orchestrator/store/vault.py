"""What the store holds of the vault split: a score for each run that won or was beaten first, and what follows.

Every event of it has the actor `vault`, by which what agents read leaves it out.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.store.docket import Docket
from orchestrator.store.reader import Reader
from orchestrator.store.records import REVERSAL, VAULT, Decision, Experiment, Run, VaultScore, utc_now

_WON = """
    WITH won AS (
        SELECT e.id, e.commit_id, e.attempt, e.parent, min(m.at) AS at
        FROM (SELECT experiment_id, at FROM masters UNION ALL SELECT experiment_id, at FROM team_masters) AS m
        JOIN experiments AS e ON e.id = m.experiment_id
        WHERE e.branch != 'master' GROUP BY e.id
    ), judged AS (
        SELECT id, commit_id, attempt, at FROM won
        UNION ALL
        SELECT b.id, b.commit_id, b.attempt, max(won.at)
        FROM won JOIN baselines AS m ON m.commit_id = won.parent JOIN experiments AS b ON b.id = m.experiment_id
        GROUP BY b.id
    )
"""
"""Promotions, and what each was compared with: as it stood when it was decided."""


async def due_runs(reader: Reader) -> list[Run]:
    """The scored runs that promotions were decided by, oldest first: the winner's and its baseline's."""
    rows = await reader.rows(
        _WON + "SELECT DISTINCT runs.* FROM runs JOIN judged ON judged.id = runs.experiment_id"
        " AND judged.commit_id = runs.commit_id AND judged.attempt = runs.attempt"
        " WHERE runs.val_bpb IS NOT NULL AND runs.ended_at <= judged.at ORDER BY runs.id"
    )
    return [Run.from_row(row) for row in rows]


async def vault_scores(reader: Reader) -> dict[int, VaultScore]:
    """By run."""
    rows = await reader.rows("SELECT * FROM vault_scores ORDER BY run_id")
    return {row["run_id"]: VaultScore.from_row(row) for row in rows}


async def held_slots(reader: Reader) -> set[str]:
    """The GPUs that a scoring on the vault holds at this moment."""
    rows = await reader.rows("SELECT slot FROM vault_scores WHERE state = 'scoring' AND slot != ''")
    return {str(row["slot"]) for row in rows}


async def vault_verdicts(reader: Reader) -> dict[int, str]:
    """What the vault says of a win, by experiment; nobody has claimed a gain of a revert."""
    rows = await reader.rows(
        "SELECT v.experiment_id, v.sentence FROM vault_verdicts AS v JOIN experiments AS e ON e.id = v.experiment_id"
        f" WHERE NOT (e.decision = '{Decision.MERGE}' AND e.source LIKE '{REVERSAL}%')"
    )
    return {int(row["experiment_id"]): str(row["sentence"]) for row in rows}


async def undecided(reader: Reader) -> Sequence[Experiment]:
    """Wins of which the vault has said nothing yet, in the order of master."""
    rows = await reader.rows(
        _WON + "SELECT experiments.* FROM experiments JOIN won ON won.id = experiments.id"
        " WHERE experiments.id NOT IN (SELECT experiment_id FROM vault_verdicts) ORDER BY won.at, experiments.id"
    )
    return [one for one in map(Experiment.from_row, rows) if not one.is_revert]


class VaultBook(Docket):
    """The part of the writer that keeps scores on the vault."""

    async def begin_vault(self, run: Run, slot: str) -> VaultScore:
        """A scoring begins, as another attempt; `slot` is the GPU that it holds, empty for none."""
        async with self._change():
            await self._do(
                "INSERT INTO vault_scores (run_id, state, attempt, slot, reason, at) VALUES (?, 'scoring', 1, ?, '', ?)"
                " ON CONFLICT (run_id) DO UPDATE SET state = 'scoring', attempt = attempt + 1,"
                " slot = excluded.slot, at = excluded.at",
                (run.id, slot, utc_now()),
            )
        return (await vault_scores(self))[run.id]

    async def end_vault(
        self, run: Run, state: str, reason: str, *, bpb: float | None = None, failed: bool = False
    ) -> None:
        """What came of a scoring: `scored`, `unscored` for good, or to be done `again`."""
        async with self._change():
            await self._do(
                "INSERT INTO vault_scores (run_id, state, attempt, failures, slot, bpb, reason, at)"
                " VALUES (?, ?, 0, ?, '', ?, ?, ?) ON CONFLICT (run_id) DO UPDATE SET state = excluded.state,"
                " failures = failures + excluded.failures, slot = '', bpb = excluded.bpb, reason = excluded.reason,"
                " at = excluded.at",
                (run.id, state, int(failed), bpb, reason, utc_now()),
            )
            if state != "again":
                await self._event("vault", VAULT, reason, experiment_id=run.experiment_id, run_id=run.id, after=state)

    async def decide_vault(self, experiment_id: int, sentence: str, anomaly: str | None) -> None:
        """What the vault says of a promotion, once; an `anomaly` is told as one, in the same transaction."""
        async with self._change():
            await self._do(
                "INSERT INTO vault_verdicts (experiment_id, at, sentence) VALUES (?, ?, ?)",
                (experiment_id, utc_now(), sentence),
            )
            kind, told = ("anomaly", anomaly) if anomaly is not None else ("vault", sentence)
            await self._event(kind, VAULT, told, experiment_id=experiment_id)
