"""An experiment's score and difference: means over runs that compare, which are those on one ground.

A ground is a kind of device, and the settings that a score depends on. The experiment's is the one that it was decided
on, that of its newest scored screening run; of a starting point, which has none, the one that most of its runs were on,
those under the present settings first.
"""

from __future__ import annotations

from orchestrator.store.records import CONDITIONS

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
