"""The one place that reads the store: sees whether anything was committed, and reads again only what has changed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from orchestrator.lab import DaemonIdentity, Lab, daemon_of
from orchestrator.store.reader import Reader
from orchestrator.store.records import AgentRow, Event, Experiment, Run, SlotRow
from orchestrator.store.states import ACTIVE, ENDED, State
from orchestrator.views import EARLY_STOPPING_SHORT, Baseline, runs_at_head, runs_per_hour
from tui.believing import Believing
from tui.health import newest_of_interest

MOST_ROWS = 1000
WINDOW = 400
"""Results that are read at once, around those that the person sees; the table asks for others as it is scrolled."""
RECENT_EVENTS = 60


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person wants to see of the tables."""

    search: str = ""
    sort: str = "id"
    descending: bool = True
    first: int = 0  # the first result of the window


@dataclass(frozen=True, slots=True)
class Story:
    """What events tell of: it changes only when one was written."""

    paused: bool
    profile: str
    baseline: Baseline
    running: dict[int, tuple[Run, Experiment]]  # by run id
    queue: list[Experiment]
    waiting: int  # of them without the filter
    results: list[Experiment]  # the window
    matching: int  # results with the filter
    measured: int  # results without the filter
    result_runs: dict[int, list[Run]]
    points: list[tuple[int, float]]  # (how manieth outcome, val_bpb) of everything with a score
    promoted: set[int]  # which of the points were merged
    last_event: Event | None
    runs_per_hour: float
    stopping: str  # early stopping so far, in a few words
    wish: Wish


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The lab as it is now."""

    daemon: DaemonIdentity | None
    agents: list[AgentRow]
    slots: list[SlotRow]
    heard_at: str | None  # when the daemon wrote last
    story: Story = field(repr=False)

    @property
    def tokens(self) -> int:
        return sum(agent.tokens_in + agent.tokens_out for agent in self.agents)


class Watch:
    """Snapshots of a lab, taken only when something has changed."""

    def __init__(self, lab: Lab, reader: Reader) -> None:
        self._lab = lab
        self.reader = reader
        self.wish = Wish()
        self._seen: tuple[object, ...] | None = None
        self._told: tuple[object, ...] | None = None
        self._story: Story | None = None
        self._believing = Believing(reader.path)

    def wants(self, **changes: Any) -> None:
        if changes.keys() - {"first"}:
            changes.setdefault("first", 0)
        self.wish = replace(self.wish, **changes)

    async def look(self) -> Snapshot | None:
        """A new snapshot; None while nothing has changed. Raises LabError."""
        if self._believing.news() and self._story is not None:
            self._story = replace(self._story, baseline=await self._believing.baseline(self.reader))
            self._seen = None
        daemon = daemon_of(self._lab)
        now = (await self.reader.data_version(), daemon, self.wish)
        if now == self._seen:
            return None
        wish = self.wish
        newest = await self.reader.row("SELECT max(seq) AS seq FROM events")
        told = (newest["seq"] if newest else None, wish)
        if self._story is None or told != self._told:
            self._story = await self._read_story(wish)
            self._told = told
        agents, slots = await self.reader.agents(), await self.reader.slots()
        self._seen = now
        marks = [agent.updated_at for agent in agents] + [slot.updated_at for slot in slots]
        if self._story.last_event is not None:
            marks.append(self._story.last_event.at)
        return Snapshot(daemon, agents, slots, max(marks, default=None), self._story)

    async def end(self) -> None:
        await self._believing.end()

    async def _read_story(self, wish: Wish) -> Story:
        reader = self.reader
        running = {}
        for run in await reader.runs_underway():
            experiment = await reader.experiment(run.experiment_id)
            if experiment is not None:
                running[run.id] = (run, experiment)
        queue = await reader.queue()
        shown = [experiment for experiment in queue if wish.search.lower() in _searchable(experiment)]
        matching = await reader.count_results(search=wish.search)
        wish = replace(wish, first=max(0, min(wish.first, matching - WINDOW)))
        results = await reader.results(
            search=wish.search, sort=wish.sort, descending=wish.descending, limit=WINDOW, offset=wish.first
        )
        runs = await reader.runs_of_many([experiment.id for experiment in results])
        counts = await reader.counts()
        points, promoted = await self._points()
        events = [event for event in await reader.events(limit=RECENT_EVENTS) if event.kind != "priority"]
        return Story(
            paused=await reader.meta("paused") == "yes",
            profile=await reader.meta("profile"),
            baseline=await self._believing.baseline(reader),
            running=running,
            queue=shown[:MOST_ROWS],
            waiting=len(queue),
            results=results,
            matching=matching,
            measured=max(matching, sum(counts[state] for state in (*ENDED, *ACTIVE))),
            result_runs={e.id: runs_at_head(e, runs[e.id]) for e in results},
            points=points,
            promoted=promoted,
            last_event=newest_of_interest(events),
            runs_per_hour=await runs_per_hour(self.reader, datetime.now(UTC)),
            stopping=await reader.meta(EARLY_STOPPING_SHORT),
            wish=wish,
        )

    async def _points(self) -> tuple[list[tuple[int, float]], set[int]]:
        """Every score in the order of the outcomes, and which of them were merged."""
        rows = await self.reader.rows(
            "SELECT val_bpb, state FROM experiments WHERE val_bpb IS NOT NULL AND line = '' ORDER BY updated_at, id"
        )
        points = [(number, float(row["val_bpb"])) for number, row in enumerate(rows)]
        return points, {number for number, row in enumerate(rows) if row["state"] == State.PROMOTED}


def _searchable(experiment: Experiment) -> str:
    return f"{experiment.id} {experiment.title} {experiment.state} {experiment.source} {experiment.reason}".lower()
