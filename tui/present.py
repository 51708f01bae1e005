"""From records to the words and figures on the screen: pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.runs.log_text import inert
from orchestrator.store.records import AgentRow, Event, Experiment, Run, SlotRow, seconds_since
from orchestrator.store.states import State
from orchestrator.views import Baseline

SYMBOLS: dict[State, str] = {
    State.PROPOSED: ".",
    State.QUEUED: ":",
    State.PATCHING: "~",
    State.READY: "o",
    State.RUNNING: ">",
    State.SCORED: "=",
    State.CONFIRMING: "»",
    State.PROMOTED: "+",
    State.DROPPED: "-",
    State.GIVEN_UP: "?",
    State.REJECTED: "#",
    State.KILLED: "x",
    State.CRASHED: "!",
    State.PRUNED: "/",
    State.INVALID: "!",
    State.LOST: "!",
    State.DISCARDED: "-",
    State.NOT_CONFIRMED: "≈",
}
"""One sign per state, beside its word: colour only repeats what is said."""

COLOURS: dict[State, str] = {
    State.PROMOTED: "green",
    State.CONFIRMING: "cyan",
    State.RUNNING: "cyan",
    State.CRASHED: "red",
    State.INVALID: "red",
    State.LOST: "red",
    State.KILLED: "yellow",
    State.NOT_CONFIRMED: "yellow",
}


def state_text(state: State) -> str:
    return f"{SYMBOLS[state]} {state.value.replace('_', ' ')}"


def score(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def difference(value: float | None) -> str:
    return "" if value is None else f"{value:+.4f}"


def spread(runs: Sequence[Run]) -> str:
    """`±` the standard error of the mean, when there are several valid runs."""
    scores = [run.val_bpb for run in runs if run.val_bpb is not None]
    if len(scores) < 2:
        return ""
    mean = sum(scores) / len(scores)
    deviation = (sum((value - mean) ** 2 for value in scores) / (len(scores) - 1)) ** 0.5
    return f"±{deviation / len(scores) ** 0.5:.3f}"


def bar(share: float | None, width: int) -> str:
    """A progress bar of `width` characters."""
    filled = round(max(0.0, min(1.0, share or 0.0)) * width)
    return "█" * filled + "░" * (width - filled)


def memory(used: int | None, total: int | None) -> str:
    if used is None:
        return ""
    return f"{used / 2**30:.1f} GiB" if not total else f"{used / 2**30:.1f}/{total / 2**30:.0f} GiB"


def slot_text(slot: SlotRow, experiment: Experiment | None, run: Run | None, width: int) -> str:
    """One slot in one line: what it runs, how far it is, and what the machine says."""
    facts = []
    if slot.utilisation is not None:
        facts.append(f"{slot.utilisation:>4.0%}")
    if text := memory(slot.memory_used, slot.memory_total):
        facts.append(text)
    if slot.temperature is not None:
        facts.append(f"{slot.temperature:.0f}°C")
    if slot.power is not None:
        facts.append(f"{slot.power:.0f} W")
    machine = "  ".join(facts)
    if run is None or experiment is None:
        return fit(f"{slot.name:<5} idle", width - len(machine) - 1) + " " + machine
    share = f"{slot.progress:>4.0%}" if slot.progress is not None else "    "
    loss = f"loss {slot.loss:.3f}" if slot.loss is not None else ""
    head = f"{slot.name:<5} {slot.phase:<8} {bar(slot.progress, 10 if width < 100 else 20)} {share}  {loss:<10}"
    what = f" {experiment.id} {experiment.title} ({run.kind}, seed {run.seed})"
    room = width - len(head) - len(machine) - 1
    return head + fit(what, room) + " " + machine if room > 12 else fit(head + what, width)


def fit(text: str, width: int) -> str:
    """Cut or padded to a width; a cut is shown."""
    if width <= 0:
        return ""
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


AGENT_SYMBOLS = {"idle": "·", "thinking": "*", "calling": ">", "waiting": "!", "paused": "="}


def agent_state(agent: AgentRow) -> str:
    return f"{AGENT_SYMBOLS.get(agent.state, ' ')} {agent.state}"


def age(at: str) -> str:
    """How long ago, in one unit."""
    seconds = max(0.0, seconds_since(at))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def health_lines(
    *,
    alive: bool,
    paused: bool,
    baseline: Baseline,
    slots: Sequence[SlotRow],
    runs_per_hour: float,
    tokens: int,
    last: Event | None,
    width: int,
) -> tuple[str, str]:
    """The strip that always answers: is the lab healthy, what is the best score, what changed last."""
    daemon = "● at work" if alive else "○ NOT RUNNING: S starts it"
    if alive and paused:
        daemon = "‖ QUEUE PAUSED: P resumes it"
    parts = [daemon]
    if baseline.val_bpb is None:
        parts.append("baseline is being measured")
    else:
        noise = f" noise {baseline.noise:.3f}" if baseline.noise is not None else ""
        parts.append(f"best {baseline.val_bpb:.4f}{noise} ({baseline.runs} runs)")
        if baseline.gain:
            parts.append(f"gain {baseline.gain:.4f} since start")
    busy = sum(slot.run_id is not None for slot in slots)
    parts.append(f"slots {busy}/{len(slots)}")
    parts.append(f"{runs_per_hour:.0f} runs/h")
    if tokens:
        parts.append(f"{tokens:,} tokens")
    first = parts[0]
    for part in parts[1:]:
        if len(first) + 3 + len(part) <= width:
            first += f" │ {part}"
    second = "nothing has happened yet" if last is None else f"{age(last.at)} ago: {event_text(last)}"
    return fit(first, width).rstrip(), fit(second, width).rstrip()


def event_text(event: Event) -> str:
    """An event as a sentence."""
    reason = inert(event.reason).replace("\n", " ")
    match event.kind:
        case "state":
            return f"experiment {event.experiment_id} {event.after}: {reason}"
        case "run" if event.after == "running":
            return f"experiment {event.experiment_id}: {reason}"
        case "run":
            return f"experiment {event.experiment_id}, run {event.run_id}: {reason}"
        case "master":
            return f"master moved to {str(event.after)[:9]}: {reason}"
        case _:
            return f"{event.actor}: {reason}"


def best_so_far(points: Sequence[tuple[int, float]], promoted: set[int]) -> list[tuple[int, float]]:
    """The score of master after each outcome: a step line through the merged points, as (number, bits per byte)."""
    line: list[tuple[int, float]] = []
    for number, value in points:
        if number in promoted:
            if line:
                line.append((number, line[-1][1]))
            line.append((number, value))
    if line and points and points[-1][0] > line[-1][0]:
        line.append((points[-1][0], line[-1][1]))
    return line
