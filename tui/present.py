"""From records to the words and figures on the screen: pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.columns import Column
from orchestrator.figures import figure
from orchestrator.marks import behind
from orchestrator.runs.log_text import inert
from orchestrator.store.ablations import ABLATION, OUT, become, has_measured, is_ablation
from orchestrator.store.records import Event, Experiment, Run, seconds_since
from orchestrator.store.states import State
from orchestrator.views import valid_runs
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
    State.DROPPED: "_",
    State.GIVEN_UP: "?",
    State.REJECTED: "#",
    State.KILLED: "×",  # noqa: RUF001
    State.CRASHED: "!",
    State.PRUNED: "/",
    State.INVALID: "%",
    State.LOST: "*",
    State.DISCARDED: "-",
    State.NOT_CONFIRMED: "≈",
}
"""A sign of its own for each state, beside its word: colour only repeats what is said."""

ABLATED = f"∆ {ABLATION}"
"""In the place of a state: master without one of its wins, once its worth is known."""

TAKEN_OUT = f"◇ {OUT}"
"""In the place of a state: a win that a revert has taken out of master again."""

UNMEASURED = "○ unmeasured"
"""In the place of a state: a start, or a person's own commit, before it has a score."""

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

Cell = Said | float | None
"""What stands in a table: a text with its tone, or a share 0..1 drawn as a bar (None: nothing)."""

RESULT_COLUMNS = (
    Column("id", 5, right=True),
    Column("state", 15),
    Column("val_bpb", 7, right=True),
    Column("±", 6, rank=4),
    Column("delta", 7, right=True, rank=1),
    Column("believed", 8, right=True, rank=6, above=90),
    Column("team", 11, rank=4, above=74),  # filled where several teams are at work
    Column("title", 18, share=8, most=56, rank=-1),
    Column("why", 20, share=2, rank=5, above=100),
    Column("source", 26, share=1, most=40, rank=7, above=150),
)


def plain(text: str) -> str:
    """A text from outside on one line, its control sequences made inert."""
    return " ".join(inert(text).split())


def state_text(state: State) -> str:
    return f"{SYMBOLS[state]} {state.value.replace('_', ' ')}"


def state_cell(state: State) -> Said:
    return Said(state_text(state), STATE_TONES.get(state, Tone.PLAIN))


def became(event: Event) -> Said:
    """What an experiment has become by an event of the kind "state"."""
    if has_measured(event) or event.after not in set(State):
        return Said(ABLATED if has_measured(event) else become(event))
    return state_cell(State(event.after))


def standing(experiment: Experiment) -> Said:
    """Its state; a start, or a commit of a person's on master, has none of its own until it was measured, and what only
    measured master without a win is no idea that failed."""
    if is_ablation(experiment.state, experiment.source):
        return Said(ABLATED, Tone.PLAIN)
    if experiment.taken_out_by is not None and not experiment.is_revert:
        return Said(TAKEN_OUT, Tone.DIM)
    if experiment.state is State.PROMOTED and experiment.val_bpb is None:
        return Said(UNMEASURED, Tone.DIM)
    return state_cell(experiment.state)


def score(value: float | None) -> str:
    return "-" if value is None else figure(value)


def difference(value: float | None) -> str:
    return "" if value is None else figure(value, "+.4f")


def spread(runs: Sequence[Run], noise: float | None) -> str:
    """`±` the standard error of the mean: the lab's noise of one run over the root of the runs."""
    return f"±{figure(noise / len(runs) ** 0.5, '.3f')}" if noise is not None and runs else ""


def bar(share: float | None, width: int) -> str:
    """A progress bar of `width` characters: heavy as far as it is done, light to the end."""
    filled = round(max(0.0, min(1.0, share or 0.0)) * width)
    return "━" * filled + "─" * (width - filled)


def result_cells(
    experiment: Experiment,
    runs: Sequence[Run],
    believed: float | None = None,
    noise: float | None = None,
    with_team: bool = False,
    mark: str = "",
) -> tuple[Cell, ...]:
    """`believed` is the gain to believe, bits per byte: what the winner's curse leaves of the raw one; `noise` the
    standard deviation of one run."""
    better = experiment.delta is not None and experiment.delta < 0
    promoted = experiment.state is State.PROMOTED and experiment.taken_out_by is None
    return (
        Said(experiment.label, Tone.DIM),
        standing(experiment),
        Said(score(experiment.val_bpb), Tone.STRONG if promoted else Tone.PLAIN),
        Said(spread(valid_runs(experiment, runs), noise), Tone.DIM),
        Said(difference(experiment.delta), Tone.GOOD if better else Tone.DIM),
        Said(difference(None if believed is None else -believed), Tone.DIM),
        Said(plain(experiment.team) if with_team else "", Tone.DIM),
        Said(marked(experiment, runs, mark), Tone.STRONG if promoted else Tone.PLAIN),
        Said(plain(experiment.why), Tone.DIM),
        Said(plain(experiment.source), Tone.DIM),
    )


def marked(experiment: Experiment, runs: Sequence[Run], mark: str = "") -> str:
    """The title, with a mark for a promotion that only simplifies, and where a score comes from outside a sandbox;
    `mark` is that of all scores of the lab (orchestrator.marks)."""
    bare = any(run.sandbox == "off" and run.counts for run in runs)
    marks = f"[{experiment.promoted_as}] " * bool(experiment.promoted_as) + "[unsandboxed] " * bare
    return marks + plain(experiment.title) + behind(mark) * (experiment.val_bpb is not None)


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


def refused(event: Event) -> bool:
    """Whether it is an order that the lab has refused."""
    return event.kind == "command" and event.after == "refused"


def event_text(event: Event) -> str:
    """An event as a sentence; a person who has asked for it is named."""
    reason = plain(event.why)
    if "@" in event.actor and event.actor not in reason and event.kind in ("state", "run", "master"):
        reason = f"{reason} ({plain(event.actor)})"
    match event.kind:
        case "state" if event.after is not None:
            return f"experiment {event.experiment_id} {become(event)}: {reason}"
        case "run" if event.run_id is None or event.after == "running":
            return f"experiment {event.experiment_id}: {reason}"
        case "run":
            return f"experiment {event.experiment_id}, run {event.run_id}: {reason}"
        case "master":
            return f"master moved to {str(event.after)[:9]}: {reason}"
        case "command":
            return f"{event.actor} {'was refused' if refused(event) else 'asked'}, {reason}"
        case "lesson" | "request" | "cancelled":
            return f"{event.actor} on experiment {event.experiment_id}: {reason}"
        case _:
            return f"{event.actor}: {reason}"
