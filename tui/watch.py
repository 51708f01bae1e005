"""The one place that reads the store: looks whether anything was committed, and takes a snapshot if so."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from orchestrator.lab import DaemonIdentity, Lab, daemon_of
from orchestrator.store.reader import Reader
from orchestrator.store.records import AgentRow, Event, Experiment, Run, SlotRow
from orchestrator.store.states import State
from orchestrator.views import Baseline, baseline_of, runs_at_head

MOST_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Wish:
    """What the person wants to see of the tables."""

    search: str = ""
    sort: str = "id"
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The lab as one commit of the store shows it."""

    daemon: DaemonIdentity | None
    paused: bool
    baseline: Baseline
    agents: list[AgentRow]
    slots: list[SlotRow]
    running: dict[int, tuple[Run, Experiment]]  # by run id
    queue: list[Experiment]
    waiting: int
    results: list[Experiment]
    result_runs: dict[int, list[Run]]
    points: list[tuple[int, float]]  # (how manieth outcome, val_bpb) of everything with a score
    promoted: set[int]  # which of the points were merged
    last_event: Event | None
    runs_per_hour: float
    tokens: int
    wish: Wish = field(default_factory=Wish)


class Watch:
    """Snapshots of a lab, taken only when something has changed."""

    def __init__(self, lab: Lab, reader: Reader) -> None:
        self._lab = lab
        self.reader = reader
        self.wish = Wish()
        self._seen: tuple[object, ...] | None = None

    def wants(self, **changes: object) -> None:
        self.wish = replace(self.wish, **changes)  # type: ignore[arg-type]

    async def look(self) -> Snapshot | None:
        """A new snapshot; None while nothing has changed."""
        daemon = daemon_of(self._lab)
        now = (await self.reader.data_version(), daemon, self.wish)
        if now == self._seen:
            return None
        self._seen = now
        return await self._snapshot(daemon)

    async def _snapshot(self, daemon: DaemonIdentity | None) -> Snapshot:
        reader, wish = self.reader, self.wish
        agents = await reader.agents()
        running = {}
        for run in await reader.runs_underway():
            experiment = await reader.experiment(run.experiment_id)
            if experiment is not None:
                running[run.id] = (run, experiment)
        queue = await reader.queue()
        shown = [experiment for experiment in queue if wish.search.lower() in _searchable(experiment)]
        results = await reader.results(search=wish.search, sort=wish.sort, descending=wish.descending, limit=MOST_ROWS)
        runs = await reader.runs_of_many([experiment.id for experiment in results])
        scored = await reader.scored()
        events = [event for event in await reader.events(limit=20) if event.kind != "priority"]
        return Snapshot(
            daemon=daemon,
            paused=await reader.meta("paused") == "yes",
            baseline=await baseline_of(reader),
            agents=agents,
            slots=await reader.slots(),
            running=running,
            queue=shown[:MOST_ROWS],
            waiting=len(queue),
            results=results,
            result_runs={e.id: runs_at_head(e, runs[e.id]) for e in results},
            points=[(number, e.val_bpb) for number, e in enumerate(scored) if e.val_bpb is not None],
            promoted={number for number, e in enumerate(scored) if e.state is State.PROMOTED},
            last_event=events[-1] if events else None,
            runs_per_hour=await self._runs_per_hour(),
            tokens=sum(agent.tokens_in + agent.tokens_out for agent in agents),
            wish=wish,
        )

    async def _runs_per_hour(self) -> float:
        """Runs that ended in the last hour, scaled up while the lab is younger than that."""
        hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
        row = await self.reader.row(
            "SELECT count(*) AS n, min(started_at) AS first FROM runs WHERE ended_at >= ?", (hour_ago,)
        )
        if row is None or not row["n"]:
            return 0.0
        since = max(datetime.fromisoformat(row["first"]), datetime.fromisoformat(hour_ago))
        hours = max(1 / 60, (datetime.now(UTC) - since).total_seconds() / 3600)
        return float(row["n"]) / hours


def _searchable(experiment: Experiment) -> str:
    return f"{experiment.id} {experiment.title} {experiment.state} {experiment.source} {experiment.reason}".lower()
