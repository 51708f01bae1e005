"""The strip that always answers: is the lab healthy, what is the best score, what changed last. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from rich.cells import cell_len, set_cell_size

from orchestrator.figures import figure
from orchestrator.review.happened import TOLD
from orchestrator.store.records import Command, Event, SlotRow, seconds_since
from orchestrator.store.states import ENDED
from orchestrator.views import Baseline
from tui.changes import Changes
from tui.present import age, amount, event_text, plain
from tui.tones import Line, Said, Tone, fit

QUIET_SECONDS = 10.0  # without a sign of life; the daemon gives one every 3 s
BETWEEN = Said("   ")
APART = "  "  # at least, between the facts and the lab's name
LONGEST_NAME = 14  # cells, where not everything fits


@dataclass(frozen=True, slots=True)
class Health:
    """What the strip is made of."""

    alive: bool
    quiet_seconds: float  # since the daemon was heard last
    paused: bool
    baseline: Baseline
    slots: Sequence[SlotRow]
    runs_per_hour: float
    tokens: int
    last: Event | None
    place: str  # the lab's name
    stopping: str = ""  # early stopping so far, in a few words
    resting: Mapping[str, str] = field(default_factory=dict)  # why, by team; the only one has no name here
    halted: str = ""  # why nothing new starts
    silent: Sequence[str] = ()  # addresses of servers of models that do not answer
    read_only: bool = False  # this room only watches
    money: float = 0.0  # that models have cost
    orders: int = 0  # that nobody has answered yet
    changes: Changes | None = None  # since the person looked last
    profile: str = ""  # the lab's
    gone: bool = False  # the lab's directory
    ending: Command | None = None  # the order by which the lab is coming to its end


def newest_of_interest(events: Sequence[Event]) -> Event | None:
    """The newest event that a person would want to be told of: outcomes, merges, orders; else simply the newest."""
    outcomes = {str(state) for state in ENDED}
    told = [event for event in events if event.kind in TOLD or (event.kind == "state" and event.after in outcomes)]
    newest = told or events
    return newest[-1] if newest else None


def _daemon(health: Health) -> Said:
    if health.gone:
        return Said("○ THE LAB'S DIRECTORY IS GONE", Tone.BAD)
    if not health.alive:
        orders = f", {health.orders} order{'s wait' if health.orders > 1 else ' waits'}" if health.orders else ""
        start = "" if health.read_only else ": S starts it"
        return Said(f"○ NOT RUNNING{start}{orders}", Tone.WARN)
    if health.ending is not None:
        return Said(f"○ {_ending(health)}", Tone.WARN)
    if health.paused:
        return Said("‖ QUEUE PAUSED" if health.read_only else "‖ QUEUE PAUSED: P resumes it", Tone.WARN)
    if health.quiet_seconds > QUIET_SECONDS:
        return Said(f"● last heard {_long(health.quiet_seconds)} ago", Tone.WARN)
    return Said("● at work", Tone.GOOD)


def _ending(health: Health) -> str:
    assert health.ending is not None
    if health.ending.arguments.get("now"):
        return "STOPPING NOW"
    busy = sum(slot.run_id is not None for slot in health.slots)
    paused = sum(slot.phase == "paused" for slot in health.slots)
    told = f"STOPPING: {busy} run{'s' * (busy != 1)} to finish" if busy else "STOPPING"
    return told + f", {paused} paused" * bool(paused)


def _long(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def first_line(health: Health, width: int) -> Line:
    """As many facts as fit, the most important first, in few words where many do not fit; the lab's name at the end."""
    facts = _facts(health, terse=False)
    if _width(facts, BETWEEN) > width:
        facts = _facts(health, terse=True)
    between = BETWEEN if _width(facts, BETWEEN) <= width else Said("  ")
    name = _short(health.place)
    line = [*facts[0]]
    used = _width(facts[:1], between)
    for number, fact in enumerate(facts[1:], 1):
        size = _width([fact], between) + cell_len(between.text)
        # From the third fact on the lab's name comes first: several rooms may be open.
        if used + size + (cell_len(name) + len(APART) if number > 2 else 0) > width:
            break
        line += [between, *fact]
        used += size
    for place in (f"{health.place} {health.profile}".rstrip(), name):
        if used + cell_len(place) + len(APART) <= width:
            return [*line, Said(" " * (width - used - cell_len(place))), Said(place, Tone.DIM)]
    return line if used <= width else [Said(fit(line[0].text, width), line[0].tone)]


def _short(place: str) -> str:
    """The lab's name, no longer than it may be in a narrow strip."""
    return place if cell_len(place) <= LONGEST_NAME else f"{set_cell_size(place, LONGEST_NAME - 1)}…"


def _width(facts: Sequence[Sequence[Said]], between: Said) -> int:
    return sum(cell_len(said.text) for fact in facts for said in fact) + cell_len(between.text) * (len(facts) - 1)


def _facts(health: Health, terse: bool) -> list[list[Said]]:
    baseline = health.baseline
    facts: list[list[Said]] = [[_daemon(health)]]
    if health.read_only:
        facts.append([Said("read-only", Tone.WARN)])
    if health.halted and health.alive:
        facts.append(
            [Said("! nothing new starts" if terse else f"! nothing new starts: {plain(health.halted)}", Tone.BAD)]
        )
    if health.silent and health.alive:
        facts.append([Said(_silent(health.silent, terse), Tone.BAD)])
    if health.resting and health.alive:
        facts.append([Said(_resting(health.resting, terse), Tone.WARN)])
    if baseline.val_bpb is None:
        measured = health.alive and not health.halted
        facts.append([Said("the baseline is being measured" if measured else "no baseline yet", Tone.DIM)])
    else:
        facts.append(
            [Said("master ", Tone.DIM), Said(figure(baseline.val_bpb), Tone.STRONG), *_uncertainty(baseline, terse)]
        )
        if baseline.gain:
            facts.append(_gain(baseline, terse))
    busy = sum(slot.run_id is not None for slot in health.slots)
    facts.append([Said("slots ", Tone.DIM), Said(f"{busy}/{len(health.slots)}")])
    facts.append([Said(f"{health.runs_per_hour:.0f}"), Said(" runs/h", Tone.DIM)])
    if health.tokens:
        facts.append([Said(amount(health.tokens)), Said(" tokens", Tone.DIM)])
    if health.money:
        facts.append([Said(f"{health.money:.2f}"), Said(" money", Tone.DIM)])
    if health.stopping and not terse:
        facts.append([Said(health.stopping, Tone.DIM)])
    return facts


def _silent(addresses: Sequence[str], terse: bool) -> str:
    """Agents wait for these; runs go on."""
    if terse or len(addresses) > 1:
        return f"! {len(addresses)} model server{'s' if len(addresses) > 1 else ''} down"
    return f"! {plain(urlsplit(addresses[0]).netloc or addresses[0])} does not answer"


def _resting(resting: Mapping[str, str], terse: bool) -> str:
    """Teams whose budget is spent begin nothing new; what is ready still runs."""
    names = " ".join(["team", *filter(None, resting)]) if len(resting) == 1 else f"{len(resting)} teams"
    rests = f"! {names} rest{'s' * (len(resting) == 1)}"
    return rests if terse or len(resting) > 1 else f"{rests}: {plain(next(iter(resting.values())))}"


def _uncertainty(baseline: Baseline, terse: bool) -> list[Said]:
    """`±` the standard error of the mean; with room for it, the runs and the noise of one that it comes from."""
    if baseline.noise is None or not baseline.runs:
        return []
    error = f" ±{figure(baseline.noise / baseline.runs**0.5, '.3f')}"
    runs = f"{baseline.runs} run{'s' if baseline.runs != 1 else ''}, noise {figure(baseline.noise, '.3f')}"
    return [Said(error, Tone.DIM)] if terse else [Said(f"{error} ({runs})", Tone.DIM)]


def _gain(baseline: Baseline, terse: bool) -> list[Said]:
    """Since the start: what is believed of it, and what was measured."""
    assert baseline.gain is not None
    tone = Tone.GOOD if baseline.gain > 0 else Tone.WARN
    if baseline.believed is None:
        return [Said("gain ", Tone.DIM), Said(figure(baseline.gain), tone)]
    if terse:
        return [Said("gain ", Tone.DIM), Said(figure(baseline.believed, ".2f"), tone), Said(" believed", Tone.DIM)]
    doubt = f", {baseline.expected_false:.1f} of {baseline.promotions} false" if baseline.promotions else ""
    said = f" ({figure(baseline.believed, '.2f')} believed{doubt})"
    return [Said("gain ", Tone.DIM), Said(figure(baseline.gain), tone), Said(said, Tone.DIM)]


ROOM_FOR_LAST = 34  # columns from which what happened last stands beside what changed


def second_line(health: Health, width: int, inside: bool = False) -> Line:
    """What changed since the person looked last, and what happened last; `inside`: the keys go here."""
    line: list[Said] = []
    changes = health.changes
    if changes is not None and changes.any:
        line = _changed(changes, health.baseline)
    elif inside:
        line = [Said(f"nothing of note since {_ago(changes)}" if changes is not None else "what happened", Tone.DIM)]
    if inside:
        line = [Said("▌ ", Tone.LIVE), *line, Said("  enter shows all of it", Tone.LIVE)]
    used = sum(cell_len(said.text) for said in line)
    if used > width:
        words = "".join(said.text for said in line)
        return [Said(fit(words, width).rstrip(), Tone.LIVE if inside else Tone.PLAIN)]
    if line and width - used < ROOM_FOR_LAST:
        return line
    if line:
        line.append(BETWEEN)
    return [*line, *_last(health, width - used - (cell_len(BETWEEN.text) if line else 0))]


def _ago(changes: Changes) -> str:
    if seconds_since(changes.since) < 60:
        return "a moment ago"
    return f"{age(changes.since)} ago"


def _changed(changes: Changes, baseline: Baseline) -> list[Said]:
    said = [Said(f"since {_ago(changes)}: ", Tone.DIM)]
    parts: list[list[Said]] = []
    if changes.merged:
        parts.append([Said(f"{changes.merged} merged", Tone.GOOD)])
    if changes.reverted:
        parts.append([Said(f"{changes.reverted} taken out", Tone.WARN)])
    if changes.returned:
        parts.append([Said(f"{changes.returned} put back")])
    best_then, best = changes.best_then, baseline.val_bpb
    if parts and best_then is not None and best is not None and best_then != best:
        parts[-1].append(Said(f" ({best_then:.4f} → {best:.4f})", Tone.DIM))
    if changes.ended:
        failed = f" ({changes.failed} without a score)" if changes.failed else ""
        parts.append([Said(f"{changes.ended} not merged"), Said(failed, Tone.DIM)])
    if changes.measured:
        parts.append([Said(f"{changes.measured} measured")])
    if changes.anomalies:
        parts.append([Said(f"{changes.anomalies} to look at", Tone.WARN)])
    for number, part in enumerate(parts):
        said += [Said(", ", Tone.DIM), *part] if number else part
    return said


def _last(health: Health, width: int) -> list[Said]:
    """What happened last."""
    if health.last is None:
        return [Said(fit("nothing has happened yet", width).rstrip(), Tone.DIM)]
    when = f"{age(health.last.at)} ago  "
    if len(when) >= width:
        return [Said(when[: max(0, width)], Tone.DIM)]
    return [Said(when, Tone.DIM), Said(fit(event_text(health.last), width - len(when)).rstrip())]
