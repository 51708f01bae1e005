"""The verb `compare`: what each team was worth."""

from __future__ import annotations

import json
from argparse import Namespace

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrator.cli.reading import ask
from orchestrator.comparison import CONFIDENCE, Comparison, Estimate, comparison_json, comparison_of
from orchestrator.lab import find_lab


def compare(words: Namespace) -> int:
    found = ask(find_lab(words.lab), comparison_of)
    if words.json:
        print(json.dumps(comparison_json(found), indent=2, ensure_ascii=False))
        return 0
    _print(found)
    return 0


def _print(found: Comparison) -> None:
    console = Console()
    if not found.teams:
        print("No team has worked here yet; `autolab start` begins.")
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("team", "outcomes", "merged", "believed gain", "per slot-hour", "per money", "leads"):
        table.add_column(name, justify="left" if name == "team" else "right", no_wrap=name == "team")
    for one in found.teams:
        table.add_row(
            Text(one.team),
            str(one.outcomes),
            str(one.promotions),
            spoken(one.believed_gain),
            spoken(one.gain_per_slot_hour),
            spoken(one.gain_per_money),
            "-" if one.leads is None else f"{one.leads:.0%}",
        )
    console.print(table)
    for one in found.teams:
        own = "; has a master of its own" if one.line else ""
        print(f"{one.team}: {one.slot_hours:.2f} slot-hours, {one.tokens} tokens, {one.money:.2f} of money{own}")
    jobs = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("team", "role", "model", "jobs ended", "completed"):
        jobs.add_column(name, justify="right" if name in ("jobs ended", "completed") else "left", overflow="fold")
    for part in found.completions:
        jobs.add_row(
            Text(part.team),
            Text(part.role),
            Text(part.model),
            str(part.finished + part.failed),
            percent(part.share),
        )
    console.print(jobs)
    print(f"low .. high holds the figure with {CONFIDENCE:.0%} probability; docs/teams.md says how it is reckoned.")


def spoken(estimate: Estimate | None) -> str:
    """`0.1200` over its interval, `0.0800 .. 0.1500`."""
    if estimate is None:
        return "-"
    return f"{estimate.value:.4f}\n{estimate.low:.4f} .. {estimate.high:.4f}"


def percent(estimate: Estimate | None) -> str:
    return "-" if estimate is None else f"{estimate.value:.0%} ({estimate.low:.0%} .. {estimate.high:.0%})"
