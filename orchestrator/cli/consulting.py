"""The verbs that look things up beside the results: settings, papers, imported results, events."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from typing import Any

from orchestrator.cli.asking import ask, print_json
from orchestrator.cli.hints import for_lab
from orchestrator.cli.saying import say, say_row
from orchestrator.cli.tables import print_table
from orchestrator.columns import Column
from orchestrator.history import MOST_ROWS
from orchestrator.lab import Lab, find_lab
from orchestrator.live_settings import ELSEWHERE, as_toml, flat, is_live
from orchestrator.review.citing import Cited, papers_of, require_paper
from orchestrator.review.happened import events_of_interest
from orchestrator.settings import read_settings
from orchestrator.store.ablations import become
from orchestrator.store.records import Event, to_the_minute

SETTING_COLUMNS = (Column("key", 32), Column("value", 12, share=1), Column("is changed", 14, share=1))
PAPER_COLUMNS = (
    Column("id", 10),
    Column("experiments", 11, right=True, rank=1),
    Column("title", 24, share=3),
    Column("what came of it", 20, share=2),
)
EVENT_COLUMNS = (
    Column("UTC", 16),
    Column("what", 10),
    Column("id", 4, right=True),
    Column("why", 24, share=3),
    Column("by", 10, share=1, rank=1),
)
EARLIER_COLUMNS = (
    Column("commit", 7, rank=1),
    Column("score", 8, right=True),
    Column("GB", 5, right=True, rank=2),
    Column("status", 7),
    Column("description", 30, share=3),
    Column("from", 12, share=1, rank=3),
)


def settings(words: Namespace) -> int:
    values = flat(read_settings(find_lab(words.lab).settings_file))
    if words.json:
        print_json([{"key": key, "value": value, "live": is_live(key)} for key, value in values.items()])
        return 0
    rows = [
        (key, as_toml(value) or "-", "`autolab set`" if is_live(key) else ELSEWHERE) for key, value in values.items()
    ]
    print_table(SETTING_COLUMNS, rows)
    return 0


def events(words: Namespace) -> int:
    lab = find_lab(words.lab)
    found = ask(lab, lambda reader: events_of_interest(reader, ""))
    if words.json:
        print_json([asdict(one) for one in found])
        return 0
    print_table(EVENT_COLUMNS, [_event_row(one, lab) for one in found])
    return 0


def _event_row(one: Event, lab: Lab) -> tuple[str, ...]:
    number = "" if one.experiment_id is None else str(one.experiment_id)
    word = become(one) if one.kind == "state" else one.kind
    return to_the_minute(one.at), word, number, for_lab(one.why, lab), one.actor


def earlier(words: Namespace) -> int:
    lab = find_lab(words.lab)
    found = ask(lab, lambda reader: reader.history(limit=MOST_ROWS))
    if words.json:
        print_json([asdict(one) for one in found])
        return 0
    if not found:
        say(for_lab("Nothing was imported yet: `autolab import FILE` reads a results.tsv.", lab))
        return 0
    print_table(
        EARLIER_COLUMNS,
        [
            (
                one.commit_id or "-",
                "-" if one.score is None else f"{one.score:.6f}",
                f"{one.memory_gb:.1f}",
                one.status,
                one.description,
                one.origin,
            )
            for one in found
        ],
    )
    return 0


def papers(words: Namespace) -> int:
    found = ask(find_lab(words.lab), papers_of)
    if words.json:
        print_json([paper_json(one) for one in found])
        return 0
    print_table(
        PAPER_COLUMNS,
        [(one.id, len(one.experiments), one.title, one.outcome) for one in found],
    )
    return 0


def paper(words: Namespace) -> int:
    one = ask(find_lab(words.lab), lambda reader: require_paper(reader, words.paper))
    if words.json:
        print_json(paper_json(one))
        return 0
    say(one.title)
    say(" ".join(part for part in (one.link, one.published) if part))
    if one.summary:
        say(f"\n{one.summary}\n")
    for experiment in one.experiments:
        delta = "" if experiment.delta is None else f"{experiment.delta:+.4f}"
        say_row(experiment.id, experiment.state, delta, experiment.title)
    return 0


def paper_json(one: Cited) -> dict[str, Any]:
    """One paper of `autolab papers --json`."""
    return {
        "id": one.id,
        "title": one.title,
        "link": one.link,
        "published": one.published,
        "summary": one.summary,
        "experiments": [
            {"id": e.id, "title": e.title, "state": str(e.state), "delta": e.delta} for e in one.experiments
        ],
    }
