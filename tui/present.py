"""From records to the words and figures on the screen: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.runs.log_text import inert
from orchestrator.store.records import AgentRow, Event, Experiment, Run, SlotRow, seconds_since
from orchestrator.store.states import State
from tui.columns import Column
from tui.tones import Said, Tone

SYMBOLS: dict[State, str] = {
    State.PROPOSED: "·",
    State.QUEUED: "○",
    State.PATCHING: "~",
    State.READY: "●",
    State.RUNNING: "►",
    State.SCORED: "=",
    State.CONFIRMING: "»",
    State.PROMOTED: "◆",
    State.DROPPED: "-",
    State.GIVEN_UP: "?",
    State.REJECTED: "#",
    State.KILLED: "×",  # noqa: RUF001
    State.CRASHED: "!",
    State.PRUNED: "/",
    State.INVALID: "!",
    State.LOST: "?",
    State.DISCARDED: "-",
    State.NOT_CONFIRMED: "≈",
}
"""One sign per state, beside its word: colour only repeats what is said."""

STATE_TONES: dict[State, Tone] = {
    State.PROMOTED: Tone.GOOD,
    State.CONFIRMING: Tone.LIVE,
    State.SCORED: Tone.LIVE,
    State.RUNNING: Tone.LIVE,
    State.PATCHING: Tone.LIVE,
    State.CRASHED: Tone.BAD,
    State.INVALID: Tone.BAD,
    State.LOST: Tone.BAD,
    State.KILLED: Tone.WARN,
    State.PRUNED: Tone.WARN,
    State.NOT_CONFIRMED: Tone.WARN,
    State.DISCARDED: Tone.DIM,
    State.DROPPED: Tone.DIM,
    State.GIVEN_UP: Tone.DIM,
    State.REJECTED: Tone.DIM,
    State.PROPOSED: Tone.DIM,
}

AT_WORK = ("thinking", "calling", "waiting")
AGENT_SYMBOLS = {"idle": "·", "thinking": "*", "calling": "►", "waiting": "!", "paused": "‖"}
AGENT_TONES = {"idle": Tone.DIM, "thinking": Tone.LIVE, "calling": Tone.LIVE, "waiting": Tone.WARN, "paused": Tone.WARN}

PHASE_SYMBOLS = {"idle": "·", "starting": "~", "training": "►", "scoring": "=", "paused": "‖"}
PHASE_TONES = {"idle": Tone.DIM, "paused": Tone.WARN}

Cell = Said | float | None
"""What stands in a table: a text with its tone, or a share 0..1 drawn as a bar (None: nothing)."""

RESULT_COLUMNS = (
    Column("id", 5, right=True),
    Column("state", 15),
    Column("val_bpb", 7, right=True),
    Column("delta", 7, right=True, rank=1),
    Column("believed", 8, right=True, rank=3, above=90),
    Column("±", 6, rank=4, above=96),
    Column("title", 24, share=6, most=56),
    Column("why", 24, share=3, rank=5, above=100),
    Column("source", 26, share=1, most=40, rank=6, above=150),
)
QUEUE_COLUMNS = (
    Column("id", 5, right=True),
    Column("state", 10),
    Column("prio", 4, right=True, rank=2),
    Column("title", 24, share=5, most=56),
    Column("source", 14, share=2, most=44, rank=3),
    Column("why", 26, share=3, rank=4),
)
AGENT_COLUMNS = (
    Column("agent", 10, share=1, most=24),
    Column("state", 10),
    Column("job", 10, share=4),
    Column("jobs", 8, right=True, rank=2),
)
SLOT_COLUMNS = (
    Column("slot", 5),
    Column("phase", 10),
    Column("progress", 8, share=2, most=32),
    Column("", 4, right=True),
    Column("loss", 6, right=True),
    Column("experiment", 22, share=5),
    Column("run", 15, rank=2),
    Column("use", 4, right=True, rank=3),
    Column("memory", 12, right=True, rank=4),
    Column("temp", 5, right=True, rank=5),
    Column("power", 5, right=True, rank=6),
    Column("early stopping", 24, rank=7),
)


def plain(text: str) -> str:
    """A text from outside on one line, its control sequences made inert."""
    return " ".join(inert(text).split())


def state_text(state: State) -> str:
    return f"{SYMBOLS[state]} {state.value.replace('_', ' ')}"


def state_cell(state: State) -> Said:
    return Said(state_text(state), STATE_TONES.get(state, Tone.PLAIN))


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
    """A progress bar of `width` characters: heavy as far as it is done, light to the end."""
    filled = round(max(0.0, min(1.0, share or 0.0)) * width)
    return "━" * filled + "─" * (width - filled)


def memory(used: int | None, total: int | None) -> str:
    if used is None:
        return ""
    return f"{used / 2**30:.1f} GiB" if not total else f"{used / 2**30:.1f}/{total / 2**30:.0f} GiB"


def result_cells(experiment: Experiment, runs: Sequence[Run], believed: float | None = None) -> tuple[Cell, ...]:
    """`believed` is the gain to believe, bits per byte: what the winner's curse leaves of the raw one."""
    better = experiment.delta is not None and experiment.delta < 0
    promoted = experiment.state is State.PROMOTED
    return (
        Said(experiment.label, Tone.DIM),
        state_cell(experiment.state),
        Said(score(experiment.val_bpb), Tone.STRONG if promoted else Tone.PLAIN),
        Said(difference(experiment.delta), Tone.GOOD if better else Tone.DIM),
        Said(difference(None if believed is None else -believed), Tone.DIM),
        Said(spread(runs), Tone.DIM),
        Said(marked(experiment, runs), Tone.STRONG if promoted else Tone.PLAIN),
        Said(plain(experiment.reason), Tone.DIM),
        Said(plain(experiment.source), Tone.DIM),
    )


def marked(experiment: Experiment, runs: Sequence[Run]) -> str:
    """The title, with a mark for a promotion that only simplifies, and where a score comes from outside a sandbox."""
    bare = any(run.sandbox == "off" and run.val_bpb is not None for run in runs)
    marks = f"[{experiment.promoted_as}] " * bool(experiment.promoted_as) + "[unsandboxed] " * bare
    return marks + plain(experiment.title)


def queue_cells(experiment: Experiment) -> tuple[Cell, ...]:
    return (
        Said(experiment.label, Tone.DIM),
        state_cell(experiment.state),
        Said(str(experiment.priority)),
        Said(plain(experiment.title)),
        Said(plain(experiment.source), Tone.DIM),
        Said(plain(experiment.reason), Tone.DIM),
    )


def at_rest(agent: AgentRow) -> AgentRow:
    """An agent whose daemon is gone: whatever it did then, it does nothing now."""
    return replace(agent, state="idle", job=f"was at: {agent.job}" if agent.state in AT_WORK else agent.job)


def agent_word(agent: AgentRow) -> str:
    """The name with the job first, so that a narrow column cuts the team: `worker-1 specialists`."""
    team, dot, word = agent.name.partition(".")
    return f"{word} {team}" if dot and team == agent.team else agent.name


def agent_cells(agent: AgentRow) -> tuple[Cell, ...]:
    tone = AGENT_TONES.get(agent.state, Tone.PLAIN)
    return (
        Said(agent_word(agent)),
        Said(f"{AGENT_SYMBOLS.get(agent.state, ' ')} {agent.state}", tone),
        Said(plain(agent.job), Tone.DIM if agent.state == "idle" else Tone.PLAIN),
        Said(f"{agent.jobs_done} done" if agent.jobs_done else "", Tone.DIM),
    )


def slot_cells(slot: SlotRow, run: Run | None, experiment: Experiment | None) -> tuple[Cell, ...]:
    machine = (
        Said("" if slot.utilisation is None else f"{slot.utilisation:.0%}"),
        Said(memory(slot.memory_used, slot.memory_total), Tone.DIM),
        Said("" if slot.temperature is None else f"{slot.temperature:.0f}°C", Tone.DIM),
        Said("" if slot.power is None else f"{slot.power:.0f} W", Tone.DIM),
    )
    if run is None or experiment is None:
        nothing = Said("")
        idle = Said(f"{PHASE_SYMBOLS['idle']} idle", Tone.DIM)
        return (Said(slot.name), idle, None, nothing, nothing, Said(slot.device, Tone.DIM), nothing, *machine, nothing)
    phase = Said(f"{PHASE_SYMBOLS.get(slot.phase, ' ')} {slot.phase}", PHASE_TONES.get(slot.phase, Tone.LIVE))
    return (
        Said(slot.name),
        phase,
        slot.progress or 0.0,
        Said("" if slot.progress is None else f"{slot.progress:.0%}"),
        Said("" if slot.loss is None else f"{slot.loss:.4f}", Tone.STRONG),
        Said(f"{experiment.label} {plain(experiment.title)}"),
        Said(f"{run.kind} seed {run.seed}", Tone.DIM),
        *machine,
        Said(slot.verdict, Tone.DIM),
    )


def age(at: str) -> str:
    """How long ago, in one unit."""
    seconds = max(0.0, seconds_since(at))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def amount(number: int) -> str:
    """A large number in three figures: 950, 12.3k, 1.4M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return str(number)


def event_text(event: Event) -> str:
    """An event as a sentence."""
    reason = plain(event.reason)
    match event.kind:
        case "state" if event.after is not None:
            return f"experiment {event.experiment_id} {event.after.replace('_', ' ')}: {reason}"
        case "run" if event.run_id is None or event.after == "running":
            return f"experiment {event.experiment_id}: {reason}"
        case "run":
            return f"experiment {event.experiment_id}, run {event.run_id}: {reason}"
        case "master":
            return f"master moved to {str(event.after)[:9]}: {reason}"
        case "command":
            return f"{event.actor} asked, {reason}"
        case _:
            return f"{event.actor}: {reason}"


def best_so_far(points: Sequence[tuple[int, float]], promoted: set[int]) -> list[tuple[int, float]]:
    """The score of master after each outcome, as (number, bits per byte): the corners of a step line."""
    line = [(number, value) for number, value in points if number in promoted]
    if line and points[-1][0] > line[-1][0]:
        line.append((points[-1][0], line[-1][1]))
    return line
