"""An experiment's score and difference: means over runs that compare, which are those on one ground.

A ground is a kind of device, and the settings that a score depends on. The experiment's is the one that it was decided
on, that of its newest scored screening run; of a starting point, which has none, the one that most of its runs were on,
those under the present settings first.
"""

from __future__ import annotations

from orchestrator.store.papers import PaperBook
from orchestrator.store.records import CONDITIONS, Experiment

_AT_HEAD = (
    "runs.experiment_id = experiments.id AND runs.commit_id = experiments.commit_id"
    " AND runs.attempt = experiments.attempt AND runs.val_bpb IS NOT NULL AND NOT runs.void"
)

GROUND = (
    f"UPDATE experiments SET ground = ifnull((SELECT runs.ground FROM runs WHERE {_AT_HEAD} GROUP BY runs.ground"
    " ORDER BY max(CASE runs.kind WHEN 'screen' THEN runs.id ELSE 0 END) DESC,"
    f" runs.conditions = ifnull((SELECT value FROM meta WHERE key = '{CONDITIONS}'), '') DESC,"
    " count(*) DESC, min(runs.id) LIMIT 1), '')"
)

SCORE = (
    f"UPDATE experiments SET val_bpb = (SELECT avg(runs.val_bpb) FROM runs WHERE {_AT_HEAD}"
    " AND runs.ground = experiments.ground)"
)

DIFFERENCE = (
    "UPDATE experiments SET delta = val_bpb - (SELECT avg(base_run.val_bpb) FROM baselines"
    " JOIN experiments AS base ON base.id = baselines.experiment_id"
    " JOIN runs AS base_run ON base_run.experiment_id = base.id AND base_run.commit_id = base.commit_id"
    " AND base_run.attempt = base.attempt AND NOT base_run.void"
    " WHERE baselines.commit_id = experiments.parent AND base_run.ground = experiments.ground)"
)


class ScoreBook(PaperBook):
    """The part of the writer that brings scores up to date."""

    async def _known(self, experiment_id: int) -> Experiment:
        experiment = await self.experiment(experiment_id)
        assert experiment is not None, f"no experiment {experiment_id}"
        return experiment

    async def measure_under(self, conditions: str) -> None:
        """Runs are measured under these conditions from here on; a run of which nobody knows counts as one of them."""
        async with self._change():
            before = await self.meta(CONDITIONS)
            await self._do("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (CONDITIONS, conditions))
            if before == conditions:
                return
            await self._do("UPDATE runs SET conditions = ? WHERE conditions = ''", (conditions,))
            for update in (GROUND, SCORE, DIFFERENCE):
                await self._do(f"{update} WHERE id IN (SELECT experiment_id FROM runs)")
            if before:
                changed = "the settings that scores depend on have changed: master is measured anew under them"
                await self._event("lab", "autolab", changed)

    async def _rescore(self, experiment_id: int) -> None:
        """Bring `val_bpb` and `delta` up to date: of this experiment, and of those measured against its commits."""
        await self._do(f"{GROUND} WHERE id = ?", (experiment_id,))
        await self._do(f"{SCORE} WHERE id = ?", (experiment_id,))
        await self._do(
            f"{DIFFERENCE} WHERE id = ? OR parent IN (SELECT commit_id FROM baselines WHERE experiment_id = ?)",
            (experiment_id, experiment_id),
        )
