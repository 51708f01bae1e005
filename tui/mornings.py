"""The summary for somebody who was away, as lines and rows. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.columns import Column
from orchestrator.figures import figure
from orchestrator.review.morning import Morning
from orchestrator.review.wins import Win
from orchestrator.runs.log_text import inert
from orchestrator.store.ablations import ABLATION
from orchestrator.store.records import Experiment, to_the_minute
from orchestrator.store.states import ENDED, State
from tui.present import Cell, amount, difference, plain, score, state_cell, state_text
from tui.reviewing import error, mark, no_wins, review_word
from tui.tones import Line, Said, Tone, fit

MERGED_COLUMNS = (
    Column("", 1),
    Column("id", 4, right=True),
    Column("merged, enter shows the diff", 20, share=6, most=80),
    Column("after", 6, right=True, rank=3),
    Column("±", 6, right=True, rank=5, above=76),
    Column("gain", 7, right=True),
    Column("review", 14, share=1, most=24, rank=4, above=76),
)
MOST_NOTE_LINES = 40


def merged_cells(win: Win) -> tuple[Cell, ...]:
    one = win.experiment
    gain = -one.delta if one.delta is not None else None
    return (
        mark(win),
        Said(one.label, Tone.DIM),
        Said(plain(one.title), Tone.STRONG),
        Said(score(one.val_bpb)),
        Said(error(win.score), Tone.DIM),
        Said(difference(gain), Tone.GOOD if gain is not None and gain > 0 else Tone.WARN),
        Said(review_word(win), Tone.DIM),
    )


def span(seconds: float) -> str:
    """How long, in words: `9 h 20 min`, `3 d 4 h`."""
    minutes = int(seconds // 60)
    hours, days = minutes // 60, minutes // 1440
    if days:
        return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"
    if hours:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{minutes} min"


def heading(morning: Morning | None, width: int) -> Line:
    if morning is None:
        return [Said("while you were away", Tone.STRONG)]
    since = to_the_minute((morning.began if morning.whole else None) or morning.since)
    told = f"  since the lab began, {span(morning.age)} ago" if morning.whole else f"  the last {span(morning.seconds)}"
    title, when = "while you were away", f" ({since} UTC)" if morning.whole else f", since {since} UTC"
    if len(title) + len(told) + len(when) <= width:
        told += when
    return [Said(title, Tone.STRONG), Said(fit(told, max(0, width - len(title))).rstrip(), Tone.DIM)]


def facts(morning: Morning) -> list[tuple[str, str]]:
    """The figures on top, as (name, words)."""
    return [
        ("best", _best(morning)),
        ("merged", _merged(morning)),
        ("runs", _runs(morning)),
        ("slots", _slots(morning)),
        ("spent", _spent(morning)),
    ]


def _best(morning: Morning) -> str:
    if morning.best_now is None:
        return "nothing is measured yet"
    if morning.best_then is None:
        return f"{figure(morning.best_now)}, as it is measured now"
    if morning.best_then == morning.best_now:
        return f"{figure(morning.best_now)}, as before"
    gained = morning.best_then - morning.best_now
    return f"{figure(morning.best_then)} → {figure(morning.best_now)}, gain {figure(gained, '+.4f')}"


def _merged(morning: Morning) -> str:
    if not morning.merged:
        return "nothing"
    number = len(morning.wins)
    reverted = no_wins(morning.merged)
    believed = f", {figure(morning.believed, '+.4f')} of the gains believed" if morning.believed is not None else ""
    return f"{number} win{'s' if number != 1 else ''}{reverted}{believed}"


def _runs(morning: Morning) -> str:
    ended = f"{morning.runs} run{'s' if morning.runs != 1 else ''} ended"
    order = [state for state in State if state in ENDED and state is not State.PROMOTED]
    parts = [
        f"{morning.outcomes[state]} {state.value.replace('_', ' ')}" for state in order if state in morning.outcomes
    ]
    if morning.measured:
        parts.append(f"{len(morning.measured)} {ABLATION}")
    return ended + (f"; experiments: {', '.join(parts)}" if parts else "")


def _slots(morning: Morning) -> str:
    if not morning.slots:
        return "none known"
    each = ", ".join(f"{name} {share:.0%}" for name, share in list(morning.slots.items())[:4])
    if len(morning.slots) == 1:
        return f"{each} busy"
    mean = sum(morning.slots.values()) / len(morning.slots)
    more = f", and {len(morning.slots) - 4} more" if len(morning.slots) > 4 else ""
    return f"{mean:.0%} busy ({each}{more})"


def _spent(morning: Morning) -> str:
    if not morning.tokens:
        return "no tokens of a model"
    money = f", {morning.money:.2f} in money" if morning.money else ", no money"
    return f"{amount(morning.tokens)} tokens{money}"


def words(morning: Morning) -> list[Line]:
    """What was learned, what looks wrong, what comes next: one paragraph each, lines of any length."""
    lines: list[Line] = []
    if morning.own:
        lines += _titled("what came of people's own experiments", [_own(one) for one in morning.own])
    if morning.measured:
        worth: list[Line] = [[Said(f"{one.label} {plain(one.title)}: {plain(one.why)}")] for one in morning.measured]
        lines += _titled("what wins are still worth", worth)
    lines += _titled("what was learned", _learned(morning))
    wrong: list[Line] = [
        [Said("! ", Tone.WARN), Said(f"{one.at[11:16]} ", Tone.DIM), Said(plain(one.reason))]
        for one in morning.anomalies
    ]
    left_out = morning.anomaly_count - len(morning.anomalies)
    if left_out:
        wrong.append([Said(f"and {left_out} more: `:status` lists them", Tone.DIM)])
    lines += _titled("what looks wrong", wrong or [[Said("nothing", Tone.DIM)]])
    planned: list[Line] = [
        [Said(f"{state_text(one.state)} ", Tone.DIM), Said(f"{one.label} {plain(one.title)}")] for one in morning.next
    ]
    if morning.waiting > len(morning.next):
        planned.append([Said(f"and {morning.waiting - len(morning.next)} more in the queue", Tone.DIM)])
    return lines + _titled("what is planned next", planned or [[Said("nothing waits", Tone.DIM)]])


def _own(one: Experiment) -> Line:
    said = state_cell(one.state)
    return [Said(f"{said.text} ", said.tone), Said(f"{one.label} {plain(one.title)}: {plain(one.why)}")]


def _learned(morning: Morning) -> list[Line]:
    told: list[Line] = []
    for note in morning.learned:
        told.append([Said(f"{note.author}, {note.at[11:16]} UTC", Tone.DIM)])
        lines = [line.rstrip() for line in inert(note.text).strip().splitlines()]
        told += [[Said(line)] for line in lines[:MOST_NOTE_LINES]]
        if len(lines) > MOST_NOTE_LINES:
            told.append([Said(f"and {len(lines) - MOST_NOTE_LINES} lines more: notebook.md has them", Tone.DIM)])
    return told or [[Said("neither the reviewer nor the reporter has written since", Tone.DIM)]]


def _titled(title: str, lines: Sequence[Line]) -> list[Line]:
    return [[Said(title, Tone.LIVE)], *lines, []]
