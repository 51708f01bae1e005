"""An experiment's score and difference: means over runs that compare, which are those on one kind of device.

The experiment's `ground` is the kind of device that it was decided on, that of its newest scored screening run; of a
starting point, which has none, the kind that most of its runs were on.
"""

from __future__ import annotations

_AT_HEAD = (
    "runs.experiment_id = experiments.id AND runs.commit_id = experiments.commit_id"
    " AND runs.attempt = experiments.attempt AND runs.val_bpb IS NOT NULL AND NOT runs.void"
)

GROUND = (
    f"UPDATE experiments SET ground = ifnull((SELECT runs.device FROM runs WHERE {_AT_HEAD} GROUP BY runs.device"
    " ORDER BY max(iif(runs.kind = 'screen', runs.id, 0)) DESC, count(*) DESC, min(runs.id) LIMIT 1), '')"
)

SCORE = (
    f"UPDATE experiments SET val_bpb = (SELECT avg(runs.val_bpb) FROM runs WHERE {_AT_HEAD}"
    " AND runs.device = experiments.ground)"
)

DIFFERENCE = (
    "UPDATE experiments SET delta = val_bpb - (SELECT avg(base_run.val_bpb) FROM baselines"
    " JOIN experiments AS base ON base.id = baselines.experiment_id"
    " JOIN runs AS base_run ON base_run.experiment_id = base.id AND base_run.commit_id = base.commit_id"
    " AND base_run.attempt = base.attempt AND NOT base_run.void"
    " WHERE baselines.commit_id = experiments.parent AND base_run.device = experiments.ground)"
)
