"""What `autolab run` shows while the lab works: events as plain lines, and on a terminal a line of progress below."""

from __future__ import annotations

import asyncio
import sys

from rich.console import Console
from rich.markup import escape

from orchestrator.errors import LabError
from orchestrator.figures import figure
from orchestrator.lab import Lab
from orchestrator.review.happened import told_once
from orchestrator.runs.log_text import in_one_line
from orchestrator.runs.result import FAILED
from orchestrator.store.ablations import become
from orchestrator.store.reader import Reader
from orchestrator.store.records import Event
from orchestrator.store.states import State
from orchestrator.views import baseline_of

LOOK_SECONDS = 0.5


async def watch(lab: Lab, wanted: int, console: Console) -> None:
    """Tell of the lab's events until cancelled."""
    reader = await _opened(lab)
    live = console.status("starting", spinner="line") if sys.stdout.isatty() else None
    if live is not None:
        live.start()
    try:
        newest = await reader.events(limit=1)
        seen = newest[-1].seq if newest else 0
        before = await reader.count_outcomes()
        while True:
            seen = await _tell(reader, console, seen)
            if live is not None:
                live.update(await _line(reader, before, wanted))
            await asyncio.sleep(LOOK_SECONDS)
    except asyncio.CancelledError:
        await _tell(reader, console, seen)
        raise
    finally:
        if live is not None:
            live.stop()
        await reader.close()


async def _opened(lab: Lab) -> Reader:
    """The store, once the daemon has made or migrated it."""
    while True:
        try:
            return await Reader(lab.database).open()
        except LabError:
            await asyncio.sleep(LOOK_SECONDS)


async def _tell(reader: Reader, console: Console, seen: int) -> int:
    events = await reader.events(after=seen)
    for event in told_once(events):
        if event.kind == "run" and event.after in FAILED and not await _of_master(reader, event):
            continue  # its experiment's new state tells of it
        if (line := event_line(event)) is not None:
            console.print(escape(in_one_line(line)))
    return events[-1].seq if events else seen


async def _of_master(reader: Reader, event: Event) -> bool:
    experiment = await reader.experiment(event.experiment_id) if event.experiment_id is not None else None
    return experiment is not None and experiment.state is State.PROMOTED


def event_line(event: Event) -> str | None:
    """An event as one plain line; None for what only matters in the room."""
    time = event.at[11:19]
    match event.kind:
        case "state" if event.after in ("proposed", "queued", "patching", "scored"):
            return None
        case "state":
            return f"{time}  experiment {event.experiment_id}: {become(event)} - {event.why}"
        case "run" if event.after == "running":
            return f"{time}  experiment {event.experiment_id}: {event.reason}"
        case "run" if event.after in FAILED:
            return f"{time}  experiment {event.experiment_id}: run {event.run_id}: {event.reason}"
        case "lab" | "command" | "agent":
            return f"{time}  {event.actor}: {event.reason}"
        case _:
            return None


async def _line(reader: Reader, before: int, wanted: int) -> str:
    baseline = await baseline_of(reader)
    done = await reader.count_outcomes() - before
    slots = []
    for slot in await reader.slots():
        share = f" {slot.progress:.0%}" if slot.progress is not None else ""
        slots.append(f"{slot.name} {slot.phase}{share}")
    score = figure(baseline.val_bpb) if baseline.val_bpb is not None else "-"
    return escape(f"{done}/{wanted} outcomes   best {score}   {'   '.join(slots)}")
