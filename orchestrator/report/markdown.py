"""The report as Markdown: what was won, what it is believed to be worth, what came close, and what went wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable

from orchestrator.figures import figure
from orchestrator.report.facts import Facts
from orchestrator.store.ablations import counts_told
from orchestrator.store.records import Experiment, seconds_since, to_the_minute
from orchestrator.store.states import RAN, State
from orchestrator.targets.target import SIGN_CHANGED


def markdown(facts: Facts, picture: str | None) -> str:
    """The whole report; `picture` is the file that the text shows, relative to where it will stand."""
    parts = [f"# {inline(facts.name)}: report", _opening(facts)]
    if picture is not None:
        parts.append(f"![Best score over the experiments]({picture})")
    parts += ["## Wins, in the order of master", _wins(facts)]
    if any(one.is_revert for one in facts.promotions):
        parts += ["## Taken out of master again, and put back", _reverts(facts)]
    if facts.near_misses:
        parts += ["## Near misses", _misses(facts)]
    if facts.own:
        parts += ["## People's own experiments that were not merged", _own(facts)]
    if facts.still_worth:
        lines = [f"- {one.id} {inline(one.title)}: {inline(one.why)}" for one in facts.still_worth]
        parts += ["## What wins are still worth", "\n".join(lines)]
    parts += ["## What came of everything", _outcomes(facts)]
    if facts.anomalies:
        parts += [
            "## Anomalies",
            "\n".join(f"- {to_the_minute(one.at)} {inline(one.reason)}" for one in facts.anomalies),
        ]
    return "\n\n".join(parts) + "\n"


def _opening(facts: Facts) -> str:
    base = facts.baseline
    lines = [f"As of {to_the_minute(facts.at)} UTC, profile {facts.profile or 'unknown'}"]
    lines[0] += f", on {', '.join(map(inline, facts.devices))}." if facts.devices else "."
    if facts.first_run is not None:
        hours = seconds_since(facts.first_run, facts.at) / 3600
        ended = sum(n for state, n in facts.counts.items() if state in RAN) - _starts(facts)
        lines.append(
            f"{_count(ended, 'experiment')} came to an outcome in {_count(facts.runs, 'run')},"
            f" {facts.slot_seconds / 3600:.1f} slot hours, within {hours:.1f} h; {facts.tokens} tokens and"
            f" {facts.money:.2f} of money spent."
        )
    if base.val_bpb is None:
        lines.append("Master has not been measured yet.")
    else:
        noise = "" if base.noise is None else f", noise of one run {figure(base.noise)}"
        lines.append(
            f"Master `{(base.commit or '')[:9]}` scores **{figure(base.val_bpb)}**"
            f" (mean of {_count(base.runs, 'run')}{noise})."
        )
    if base.gain is not None and base.believed is not None:
        lines.append(
            f"It gained {figure(base.gain)} since the start; believed, after the winner's curse, is"
            f" {figure(base.believed)}; of {_count(base.promotions, 'win')} in it"
            f" {base.expected_false:.1f} are expected to be none."
        )
    if facts.mark:
        sign = " The sign of what is maximised is changed: less is better." if facts.mark == SIGN_CHANGED else ""
        lines.append(f"**Self-reported**: these scores are what the program printed of itself.{sign}")
    if facts.unsandboxed:
        lines.append("**Unsandboxed**: some runs had no sandbox around them.")
    return "\n".join(lines)


def _starts(facts: Facts) -> int:
    return sum(one.is_start for one in facts.promotions)


def _wins(facts: Facts) -> str:
    rows = []
    for one in facts.promotions:
        if one.is_revert or one.is_start:
            continue
        belief = facts.beliefs.get(one.id)
        rows.append(
            (
                str(one.id),
                inline(one.title) + _remarks(facts, one),
                _number(one.val_bpb),
                _number(one.delta, "+.4f"),
                _number(-belief.gain if belief else None, "+.4f"),
                _number(facts.vault.get(one.id)),
                inline(one.source),
                f"`{one.commit_id[:9]}`" if one.commit_id else "",
            )
        )
    return _table(("id", "change", "val_bpb", "delta", "believed", "vault", "source", "commit"), rows)


def _remarks(facts: Facts, one: Experiment) -> str:
    """What a reader must know of a win beside its title."""
    remarks = [one.promoted_as] if one.promoted_as else []
    if one.patch is not None and "@" not in one.author:  # not the idea of its author alone
        remarks.append("patch edited by a person")
    if one.id in facts.taken_out:
        remarks.append(f"taken out by {facts.taken_out[one.id]}")
    return "".join(f" ({remark})" for remark in remarks)


def _reverts(facts: Facts) -> str:
    rows = [
        (str(one.id), inline(one.title), _number(one.val_bpb), _number(one.delta, "+.4f"), inline(one.author))
        for one in facts.promotions
        if one.is_revert
    ]
    return _table(("id", "change", "val_bpb", "delta", "by"), rows)


def _misses(facts: Facts) -> str:
    rows = [
        (str(one.id), inline(one.title), _number(one.val_bpb), _number(one.delta, "+.4f"), inline(one.why))
        for one in facts.near_misses
    ]
    return _table(("id", "change", "val_bpb", "delta", "why not"), rows)


def _own(facts: Facts) -> str:
    rows = [
        (str(one.id), inline(one.title), inline(one.author), str(one.state), _number(one.val_bpb), inline(one.why))
        for one in facts.own
    ]
    return _table(("id", "change", "by", "state", "val_bpb", "why"), rows)


def _outcomes(facts: Facts) -> str:
    counts = {str(state): number for state, number in facts.counts.items()}
    counts[State.PROMOTED] = counts.get(State.PROMOTED, 0) - _starts(facts)  # nobody has won a starting point
    lines = ["- " + (", ".join(counts_told(counts, facts.still_worth, facts.promotions)) or "no experiment yet")]
    if facts.failures:
        lines.append("- Runs without a score: " + ", ".join(f"{n} {kind}" for kind, n in facts.failures.items()))
    if facts.early_stopping:
        lines.append(f"- Early stopping: {inline(facts.early_stopping)}")
    lines.append(f"- The vault split, which no agent is told of: {inline(facts.vault_account)}")
    return "\n".join(lines)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def inline(text: str) -> str:
    """Somebody's words as plain text in one line of Markdown: no markup of theirs has an effect."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _number(value: float | None, form: str = ".4f") -> str:
    return "-" if value is None else figure(value, form)
