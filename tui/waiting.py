"""The queue as rows: who prepared what waits, and what it waits for. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.columns import Column
from orchestrator.store.records import Experiment
from orchestrator.store.states import State
from tui.present import Cell, plain, state_cell
from tui.tones import Said, Tone

QUEUE_COLUMNS = (
    Column("id", 5, right=True),
    Column("state", 10),
    Column("prio", 4, right=True, rank=2),
    Column("title", 24, share=6, most=56),
    Column("waits for", 16, share=1, most=22, rank=3),
    Column("why", 24, share=4, most=60, rank=5, above=90),
    Column("by", 10, share=1, most=20, rank=4),
    Column("source", 14, share=2, most=44, rank=6),
)


@dataclass(frozen=True, slots=True)
class Line:
    """What stands before everything that waits."""

    alive: bool  # the daemon
    paused: bool
    baseline_runs: int  # of the present master
    confirming: int
    at_rest: frozenset[str] = frozenset()  # teams that have a worker without a job
    ending: bool = False  # somebody has ordered the lab to stop
    orders: Mapping[int, str] = field(default_factory=dict)  # verbs that nobody has answered yet, by experiment


def waits_for(experiment: Experiment, before: int, line: Line, prepared: str, patched: int = 0) -> str:
    """What must happen before this experiment goes on; `before` others are ready and ahead of it, `patched` of its team
    are ready or in a worker's hands."""
    if verb := line.orders.get(experiment.id):
        return f"the {verb}" if line.alive else f"the {verb} that waits"
    if not line.alive:
        return "the daemon"
    if line.ending:
        return "the next start"
    match experiment.state:
        case State.PROPOSED:
            return "the planner"
        case State.QUEUED:
            return f"{patched} patches ahead" if patched and experiment.team in line.at_rest else "a worker"
        case State.PATCHING if experiment.commit_id is None:
            return f"{prepared}'s patch" if prepared else "its patch"
        case State.PATCHING:
            return "the reviewer"
    if line.paused:
        return "the paused queue"
    if line.baseline_runs == 0:
        return "the baseline"
    if before:
        return f"{before} before it"
    if line.confirming:
        return "confirmations"
    return "a free slot"


def prepared_by(experiment: Experiment, prepared: str) -> str:
    """Whose patch it is; before there is one, who proposed it."""
    return plain(prepared or experiment.author)


def queue_rows(
    queue: Sequence[Experiment], prepared: Mapping[int, str], line: Line
) -> list[tuple[str, tuple[Cell, ...]]]:
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    ready = 0
    patched = Counter(e.team for e in queue if e.state in (State.READY, State.PATCHING))
    for experiment in queue:
        hands = prepared.get(experiment.id, "")
        waits = waits_for(experiment, ready, line, hands, patched[experiment.team])
        ready += experiment.state is State.READY
        cells = (
            Said(experiment.label, Tone.DIM),
            state_cell(experiment.state),
            Said(str(experiment.priority)),
            Said(plain(experiment.title)),
            Said(waits),
            Said(plain(experiment.why), Tone.DIM),
            Said(prepared_by(experiment, hands), Tone.DIM),
            Said(plain(experiment.source), Tone.DIM),
        )
        rows.append((str(experiment.id), cells))
    return rows
