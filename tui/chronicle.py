"""What the room tells of a lab between two events: read whole when something has happened, and only then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from orchestrator.store.filters import EVERYTHING, Filter
from orchestrator.store.reader import Reader
from orchestrator.store.records import Event, Experiment, Run
from orchestrator.store.states import State
from orchestrator.views import (
    EARLY_STOPPING_SHORT,
    HALTED,
    Baseline,
    dead_endpoints,
    resting,
    runs_at_head,
    runs_per_hour,
)
from tui.believing import Believing
from tui.changes import Changes, Changing
from tui.health import newest_of_interest

MOST_ROWS = 1000
WINDOW = 240
"""Results that are read at once, around those that the person sees; the table asks for others as it is scrolled."""
RECENT_EVENTS = 60


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person wants to see of the tables."""

    results: Filter = EVERYTHING
    queue: Filter = EVERYTHING
    sort: str = "id"
    descending: bool = True
    first: int = 0  # the first result of the window
    since: str | None = None  # when they looked last

    def same_rows(self, other: Wish) -> bool:
        """Whether both are for the same rows in the same order."""
        mine, others = ((one.results, one.queue, one.sort, one.descending) for one in (self, other))
        return mine == others


@dataclass(frozen=True, slots=True)
class Story:
    """What events tell of: it changes only when one was written."""

    paused: bool
    profile: str
    baseline: Baseline
    baseline_run: int | None  # a scored run of the present master, the first seed's
    running: dict[int, tuple[Run, Experiment]]  # by run id
    queue: list[Experiment]
    prepared: dict[int, str]  # which agent has the patch of what waits in its hands, or made it
    waiting: int  # of them without the filter
    confirming: int  # experiments whose next run goes before everything that waits
    results: list[Experiment]  # the window
    matching: int  # results with the filter
    measured: int  # results without the filter
    result_runs: dict[int, list[Run]]
    points: list[tuple[int, float]]  # (how manieth outcome, val_bpb) of everything with a score
    promoted: dict[int, tuple[int, str]]  # which of the points were merged: experiment and title
    last_event: Event | None
    runs_per_hour: float
    stopping: str  # early stopping so far, in a few words
    resting: Mapping[str, str]  # why teams rest whose budget is spent
    halted: str  # why nothing new starts
    silent: tuple[str, ...]  # addresses of servers of models that do not answer
    changes: Changes | None
    wish: Wish


async def read_story(reader: Reader, believing: Believing, changing: Changing, wish: Wish) -> Story:
    """Raises LabError."""
    running = {}
    for run in await reader.runs_underway():
        experiment = await reader.experiment(run.experiment_id)
        if experiment is not None:
            running[run.id] = (run, experiment)
    baseline = await believing.baseline(reader)
    queue = await reader.queue(wish.queue)
    waiting = len(queue) if not wish.queue.terms else len(await reader.queue())
    queue = queue[:MOST_ROWS]
    reader.believes(baseline.gains)
    matching = await reader.count_results(only=wish.results, noise=baseline.noise)
    wish = replace(wish, first=max(0, min(wish.first, matching - WINDOW)))
    results = await reader.results(
        only=wish.results,
        noise=baseline.noise,
        sort=wish.sort,
        descending=wish.descending,
        limit=WINDOW,
        offset=wish.first,
    )
    runs = await reader.runs_of_many([experiment.id for experiment in results])
    counts = await reader.counts()
    points, promoted = await _points(reader)
    events = [event for event in await reader.events(limit=RECENT_EVENTS) if event.kind != "priority"]
    return Story(
        paused=await reader.meta("paused") == "yes",
        profile=await reader.meta("profile"),
        baseline=baseline,
        baseline_run=await _baseline_run(reader, baseline),
        running=running,
        queue=queue,
        prepared=await _prepared(reader, queue),
        waiting=waiting,
        confirming=counts[State.CONFIRMING],
        results=results,
        matching=matching,
        measured=await reader.count_results() if wish.results.terms else matching,
        result_runs={e.id: runs_at_head(e, runs[e.id]) for e in results},
        points=points,
        promoted=promoted,
        last_event=newest_of_interest(events),
        runs_per_hour=await runs_per_hour(reader, datetime.now(UTC)),
        stopping=await reader.meta(EARLY_STOPPING_SHORT),
        halted=await reader.meta(HALTED),
        silent=tuple(await dead_endpoints(reader)),
        resting=await resting(reader),
        changes=await changing.look(reader, wish.since),
        wish=wish,
    )


async def _points(reader: Reader) -> tuple[list[tuple[int, float]], dict[int, tuple[int, str]]]:
    """Every score in the order of the outcomes, and which of them were merged.

    Thousands of them, read again after every outcome: as rows they would cost more than all else here, as one text that
    SQLite writes beside the room's own work they cost little.
    """
    scored = "FROM experiments WHERE val_bpb IS NOT NULL AND line = ''"
    row = await reader.row(
        f"SELECT json_group_array(val_bpb) AS scores FROM (SELECT val_bpb {scored} ORDER BY updated_at, id)"
    )
    merged = await reader.rows(
        "SELECT * FROM (SELECT row_number() OVER (ORDER BY updated_at, id) - 1 AS number, id, state, title"
        f" {scored}) WHERE state = 'promoted' ORDER BY number"
    )
    points = list(enumerate(json.loads(row["scores"]))) if row is not None else []
    return points, {int(one["number"]): (int(one["id"]), str(one["title"])) for one in merged}


async def _baseline_run(reader: Reader, baseline: Baseline) -> int | None:
    row = await reader.row(
        "SELECT runs.id FROM runs JOIN experiments AS e ON e.id = runs.experiment_id AND e.commit_id = runs.commit_id"
        " WHERE e.id = ? AND runs.val_bpb IS NOT NULL ORDER BY runs.seed, runs.id DESC LIMIT 1",
        (baseline.experiment_id,),
    )
    return None if row is None else int(row["id"])


async def _prepared(reader: Reader, queue: list[Experiment]) -> dict[int, str]:
    """The agent that took each patch into its hands last, by experiment."""
    wanted = [e.id for e in queue if e.state in (State.PATCHING, State.READY) and e.patch is None]
    if not wanted:
        return {}
    rows = await reader.rows(
        "SELECT experiment_id, actor, max(seq) FROM events WHERE kind = 'state' AND after = 'patching'"
        f" AND experiment_id IN ({', '.join('?' * len(wanted))}) GROUP BY experiment_id",
        wanted,
    )
    return {int(row["experiment_id"]): str(row["actor"]) for row in rows}
