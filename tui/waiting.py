"""The queue as rows: who prepared what waits, and what it waits for. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.columns import Column
from orchestrator.store.records import Experiment
from orchestrator.store.states import State
from tui.present import Cell, plain, state_cell
from tui.tones import Said, Tone

QUEUE_COLUMNS = (
    Column("id", 5, right=True),
    Column("state", 10),
    Column("prio", 4, right=True, rank=2),
    Column("title", 18, share=5, most=56),
    Column("waits for", 16, share=4, most=60, rank=3),
    Column("by", 10, share=1, most=20, rank=4),
    Column("source", 14, share=2, most=44, rank=5),
)


@dataclass(frozen=True, slots=True)
class Line:
    """What stands before everything that waits."""

    alive: bool  # the daemon
    paused: bool
    baseline_runs: int  # of the present master
    confirming: int


def waits_for(experiment: Experiment, before: int, line: Line, prepared: str) -> str:
    """What must happen before this experiment goes on; `before` others are ready and ahead of it."""
    if not line.alive:
        return "the daemon"
    match experiment.state:
        case State.PROPOSED:
            return "the planner"
        case State.QUEUED:
            return "a worker"
        case State.PATCHING if experiment.commit_id is None:
            return f"the patch of {prepared}" if prepared else "its patch"
        case State.PATCHING:
            return "the reviewer"
    if line.paused:
        return "a paused queue"
    if line.baseline_runs == 0:
        return "the baseline"
    if before:
        return f"{before} before it"
    if line.confirming:
        return "a slot; confirmations go first"
    return "the next free slot"


def prepared_by(experiment: Experiment, prepared: str) -> str:
    """Whose patch it is; before there is one, who proposed it."""
    return plain(prepared or experiment.author)


def queue_rows(
    queue: Sequence[Experiment], prepared: Mapping[int, str], line: Line
) -> list[tuple[str, tuple[Cell, ...]]]:
    rows: list[tuple[str, tuple[Cell, ...]]] = []
    ready = 0
    for experiment in queue:
        hands = prepared.get(experiment.id, "")
        waits = waits_for(experiment, ready, line, hands)
        ready += experiment.state is State.READY
        why = plain(experiment.why)
        cells = (
            Said(experiment.label, Tone.DIM),
            state_cell(experiment.state),
            Said(str(experiment.priority)),
            Said(plain(experiment.title)),
            Said(f"{waits}; {why}" if why else waits, Tone.DIM),
            Said(prepared_by(experiment, hands), Tone.DIM),
            Said(plain(experiment.source), Tone.DIM),
        )
        rows.append((str(experiment.id), cells))
    return rows
