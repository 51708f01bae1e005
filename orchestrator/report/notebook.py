"""The lab's notebook as Markdown: what agents and people should know before the next idea."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.figures import figure
from orchestrator.report.facts import Facts
from orchestrator.report.markdown import inline
from orchestrator.store.agents import Note
from orchestrator.store.records import VAULT, Experiment, to_the_minute
from orchestrator.store.states import State

MOST_LINES = 80
"""Of "do not repeat", the newest: older ones are in `autolab results`."""


def notebook(facts: Facts, tried: Sequence[Experiment], reports: Sequence[Note], findings: Sequence[Note]) -> str:
    """`tried` is everything that ended without a win, newest first; the newest report and findings are quoted."""
    parts = [f"# Notebook of {inline(facts.name)}", _standing(facts)]
    wins = [one for one in facts.promotions if one.delta is not None and not one.is_revert and not one.is_start]
    parts += ["## Wins", _list([_scored(one) + _out(facts, one) for one in wins]) or "None yet."]
    if facts.still_worth:
        parts += ["## What wins are still worth", _list([_worth(one) for one in facts.still_worth])]
    parts += ["## Near misses", _list([_scored(one) for one in facts.near_misses]) or "None yet."]
    near = {one.id for one in facts.near_misses}
    failed = [one for one in tried if one.reverses is None and one.id not in near]
    parts += ["## Do not repeat", _list([_tried(one) for one in failed][:MOST_LINES]) or "Nothing yet."]
    if findings:
        parts += ["## What the reviewer made of it", _quoted(findings[0])]
    if reports:
        parts += ["## Open questions and what looks wrong", _quoted(reports[0])]
    anomalies = [one for one in facts.anomalies if one.actor != VAULT]  # agents read the notebook
    if anomalies:
        parts += ["## Anomalies", _list([f"{one.at[:16]} {inline(one.reason)}" for one in anomalies])]
    return "\n\n".join(parts) + "\n"


def _standing(facts: Facts) -> str:
    base = facts.baseline
    if base.val_bpb is None:
        return "Master has not been measured yet."
    noise = "" if base.noise is None else f", noise of one run {figure(base.noise)}"
    gain = "" if base.gain is None else f"; {figure(base.gain)} gained since the start"
    return f"Master `{(base.commit or '')[:9]}`: {figure(base.val_bpb)} (mean of {base.runs} runs{noise}){gain}."


def _scored(one: Experiment) -> str:
    return f"{one.id} {inline(one.title)}: {one.delta:+.4f} ({inline(one.source)})"


def _out(facts: Facts, one: Experiment) -> str:
    out = facts.taken_out.get(one.id)
    return "" if out is None else f", taken out of master again by {out}"


def _worth(one: Experiment) -> str:
    return f"master without {one.reverses} ({one.id}): {one.delta:+.4f}"


def _tried(one: Experiment) -> str:
    if one.state in (State.DISCARDED, State.NOT_CONFIRMED) and one.delta is not None:
        return f"{one.id} {inline(one.title)}: {one.delta:+.4f}"
    return f"{one.id} {inline(one.title)}: {one.state}, {inline(one.why)[:160]}"


def _quoted(note: Note) -> str:
    lines = "\n".join(f"> {line}" if line else ">" for line in note.text.strip().splitlines())
    return f"{note.author}, {to_the_minute(note.at)} UTC:\n\n{lines}"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
