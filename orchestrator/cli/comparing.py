"""The verb `compare`: what each team was worth."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.asking import ask, print_json
from orchestrator.cli.hints import for_lab
from orchestrator.cli.saying import say, say_row
from orchestrator.comparison import CONFIDENCE, Comparison, Estimate, TeamFigures, comparison_json, comparison_of
from orchestrator.figures import figure
from orchestrator.lab import Lab, find_lab
from orchestrator.runs.log_text import in_one_line

JOBS = ("team", "role", "model", "jobs ended", "completed")


def compare(words: Namespace) -> int:
    lab = find_lab(words.lab)
    found = ask(lab, comparison_of)
    if words.json:
        print_json(comparison_json(found))
        return 0
    _print(found, lab)
    return 0


def _print(found: Comparison, lab: Lab) -> None:
    console = Console()
    if not found.teams:
        say(for_lab("No team has worked here yet; `autolab start` begins.", lab))
        return
    if not sys.stdout.isatty():
        _print_plainly(found)
        return
    table = Table("", box=box.SIMPLE, pad_edge=False)
    for one in found.teams:
        table.add_column(Text(in_one_line(one.team)), justify="right")
    for name, told in FIGURES:
        table.add_row(name, *(told(one) for one in found.teams))
    console.print(table)
    jobs = Table(box=box.SIMPLE, pad_edge=False)
    for name in JOBS:
        jobs.add_column(name, justify="right" if name in ("jobs ended", "completed") else "left", overflow="fold")
    for part in found.completions:
        jobs.add_row(
            Text(in_one_line(part.team)),
            Text(in_one_line(part.role)),
            Text(in_one_line(part.model)),
            str(part.finished + part.failed),
            percent(part.share),
        )
    console.print(jobs)
    say(f"low .. high holds the figure with {CONFIDENCE:.0%} probability; docs/teams.md says how it is reckoned.")


def _print_plainly(found: Comparison) -> None:
    """For a pipe: both tables with tabs between their columns, an empty line between them."""
    say_row("figure", *(one.team for one in found.teams))
    for name, told in FIGURES:
        say_row(name, *(told(one).replace("\n", ", ") for one in found.teams))
    say()
    say_row(*JOBS)
    for part in found.completions:
        say_row(part.team, part.role, part.model, part.finished + part.failed, percent(part.share))


def _leads(one: TeamFigures) -> str:
    return "-" if one.leads is None else f"{one.leads:.0%}"


FIGURES: tuple[tuple[str, Callable[[TeamFigures], str]], ...] = (
    ("outcomes", lambda one: str(one.outcomes)),
    ("merged", lambda one: str(one.promotions)),
    ("of the outcomes", lambda one: percent(one.promotion_share)),
    ("believed gain", lambda one: spoken(one.believed_gain)),
    ("per slot-hour", lambda one: spoken(one.gain_per_slot_hour)),
    ("per money", lambda one: spoken(one.gain_per_money)),
    ("leads", _leads),
    ("slot-hours", lambda one: f"{one.slot_hours:.2f}"),
    ("tokens", lambda one: f"{one.tokens:,}"),
    ("money", lambda one: f"{one.money:.2f}"),
    ("master", lambda one: "its own" if one.line else "the lab's"),
)
"""A row for each figure, a column for each team: three teams stand side by side on 80 columns."""


def spoken(estimate: Estimate | None) -> str:
    """`0.1200` over its interval, `0.0800 .. 0.1500`."""
    if estimate is None:
        return "-"
    sure = (
        f"\n{figure(estimate.low)} .. {figure(estimate.high)}" if estimate.low < estimate.high else ""
    )  # else: too few
    return f"{figure(estimate.value)}{sure}"


def percent(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.0%} ({estimate.low:.0%} .. {estimate.high:.0%})"
