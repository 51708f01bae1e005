"""The strip that always answers: is the lab healthy, what is the best score, what changed last. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from orchestrator.store.records import Event, SlotRow
from orchestrator.store.states import ENDED
from orchestrator.views import Baseline
from tui.present import age, amount, event_text
from tui.tones import Line, Said, Tone, fit

QUIET_SECONDS = 20.0
BETWEEN = Said("   ")

_TOLD = frozenset({"master", "lab", "command", "letter", "note", "anomaly"})


@dataclass(frozen=True, slots=True)
class Health:
    """What the strip is made of."""

    alive: bool
    quiet_seconds: float  # since the store was written to last
    paused: bool
    baseline: Baseline
    slots: Sequence[SlotRow]
    runs_per_hour: float
    tokens: int
    last: Event | None
    place: str  # the lab, its profile
    stopping: str = ""  # early stopping so far, in a few words
    read_only: bool = False  # this room only watches


def newest_of_interest(events: Sequence[Event]) -> Event | None:
    """The newest event that a person would want to be told of: outcomes, merges, orders; else simply the newest."""
    outcomes = {str(state) for state in ENDED}
    told = [event for event in events if event.kind in _TOLD or (event.kind == "state" and event.after in outcomes)]
    newest = told or events
    return newest[-1] if newest else None


def _daemon(health: Health) -> Said:
    if not health.alive:
        return Said("○ NOT RUNNING: S starts it", Tone.WARN)
    if health.paused:
        return Said("‖ QUEUE PAUSED: P resumes it", Tone.WARN)
    at_work = any(slot.run_id is not None and slot.phase != "paused" for slot in health.slots)
    if at_work and health.quiet_seconds > QUIET_SECONDS:
        return Said(f"● at work, last heard {health.quiet_seconds:.0f} s ago", Tone.WARN)
    return Said("● at work", Tone.GOOD)


def first_line(health: Health, width: int) -> Line:
    """As many facts as fit, the most important first; the lab's name at the right end."""
    baseline = health.baseline
    facts: list[list[Said]] = [[_daemon(health)]]
    if health.read_only:
        facts.append([Said("read-only", Tone.WARN)])
    if baseline.val_bpb is None:
        facts.append([Said("the baseline is being measured" if health.alive else "no baseline yet", Tone.DIM)])
    else:
        noise = "" if baseline.noise is None else f" noise {baseline.noise:.3f},"
        runs = f"{noise} {baseline.runs} run{'s' if baseline.runs != 1 else ''}"
        facts.append([Said("best ", Tone.DIM), Said(f"{baseline.val_bpb:.4f}", Tone.STRONG), Said(runs, Tone.DIM)])
        if baseline.gain:
            tone = Tone.GOOD if baseline.gain > 0 else Tone.WARN
            facts.append([Said("gain ", Tone.DIM), Said(f"{baseline.gain:.4f}", tone)])
            if baseline.believed is not None:
                doubt = f", {baseline.expected_false:.1f} of {baseline.promotions} false" if baseline.promotions else ""
                facts[-1].append(Said(f" ({baseline.believed:.2f} believed{doubt})", Tone.DIM))
    busy = sum(slot.run_id is not None for slot in health.slots)
    facts.append([Said("slots ", Tone.DIM), Said(f"{busy}/{len(health.slots)}")])
    facts.append([Said(f"{health.runs_per_hour:.0f}"), Said(" runs/h", Tone.DIM)])
    if health.stopping:
        facts.append([Said(health.stopping, Tone.DIM)])
    if health.tokens:
        facts.append([Said(amount(health.tokens)), Said(" tokens", Tone.DIM)])
    line = [facts[0][0]]
    used = cell_len(line[0].text)
    for fact in facts[1:]:
        size = cell_len(BETWEEN.text) + sum(cell_len(said.text) for said in fact)
        if used + size > width:
            break
        line += [BETWEEN, *fact]
        used += size
    if used + cell_len(health.place) + 3 <= width:
        line += [Said(" " * (width - used - cell_len(health.place))), Said(health.place, Tone.DIM)]
    elif used > width:
        line = [Said(fit(line[0].text, width), line[0].tone)]
    return line


def second_line(health: Health, width: int) -> Line:
    """What changed last."""
    if health.last is None:
        return [Said(fit("nothing has happened yet", width).rstrip(), Tone.DIM)]
    when = f"{age(health.last.at)} ago  "
    if len(when) >= width:
        return [Said(when[:width], Tone.DIM)]
    return [Said(when, Tone.DIM), Said(fit(event_text(health.last), width - len(when)).rstrip())]
