"""The verbs that list experiments: queue, results, export."""

from __future__ import annotations

import csv
import io
from argparse import Namespace
from pathlib import Path

from orchestrator import views
from orchestrator.cli.asking import ask, number, print_json, state_word, why
from orchestrator.cli.saying import say, write
from orchestrator.cli.tables import print_table
from orchestrator.columns import Column
from orchestrator.errors import UsageError
from orchestrator.gains import beliefs_of
from orchestrator.lab import Lab, find_lab
from orchestrator.marks import behind, score_mark
from orchestrator.store.filters import understood
from orchestrator.tracking import results_files
from orchestrator.tracking.results_files import UNSANDBOXED
from orchestrator.vault_words import vault_means

SIMPLIFIES = " [simplification]"

QUEUE_COLUMNS = (
    Column("id", 4, right=True),
    Column("state", 8),
    Column("priority", 8, right=True, rank=2),
    Column("title", 24, share=3),
    Column("source", 20, share=2, rank=3),
    Column("reason", 24, share=3, rank=1),
)

RESULT_COLUMNS = (
    Column("id", 4, right=True),
    Column("state", 8),
    Column("val_bpb", 7, right=True),
    Column("delta", 7, right=True),
    Column("believed", 8, right=True, rank=2),
    Column("vault", 6, right=True, rank=3),
    Column("runs", 4, right=True, rank=4),
    Column("title", 24, share=2),
    Column("reason", 24, share=3, rank=1),
)


def _lab_of_table(words: Namespace) -> Lab:
    """The lab of a table; a filter where the lab belongs is told where it goes."""
    if words.lab is not None and any(sign in words.lab for sign in "=<>~") and not Lab(Path(words.lab)).root.exists():
        raise UsageError(f"`{words.lab}` is no lab but a filter.", f"autolab {words.verb} --where '{words.lab}'")
    return find_lab(words.lab)


def queue(words: Namespace) -> int:
    only = understood(words.where)
    lab = _lab_of_table(words)
    waiting = ask(lab, lambda reader: views.queue_json(reader, only))
    if words.json:
        print_json(waiting)
    elif waiting:
        labels = ask(lab, views.labels)
        print_table(
            QUEUE_COLUMNS,
            [
                (labels.get(e["id"], e["id"]), state_word(e), e["priority"], e["title"], e["source"], why(e))
                for e in waiting
            ],
        )
    else:
        say("Nothing that waits matches." if only.terms else "Nothing waits for a run.")
    return 0


def results(words: Namespace) -> int:
    lab = _lab_of_table(words)
    only = understood(words.where)
    found = ask(lab, lambda reader: views.results_json(reader, only))
    if words.json:
        print_json(found)
    else:
        beliefs, labels = ask(lab, beliefs_of), ask(lab, views.labels)
        vault, shorter, mark = ask(lab, vault_means), ask(lab, views.simplifications), ask(lab, score_mark)
        print_table(
            RESULT_COLUMNS,
            [
                (
                    labels.get(e["id"], e["id"]),
                    state_word(e),
                    number(e["val_bpb"]),
                    number(e["delta"], "+.4f"),
                    number(-beliefs[e["id"]].gain if e["delta"] is not None and e["id"] in beliefs else None, "+.4f"),
                    number(vault.get(e["id"])),
                    sum(run["val_bpb"] is not None for run in e["runs"]),
                    e["title"]
                    + SIMPLIFIES * (e["id"] in shorter)
                    + UNSANDBOXED * e.get("unsandboxed", False)
                    + behind(mark) * (e["val_bpb"] is not None),
                    why(e),
                )
                for e in found
            ],
        )
    return 0


def export(words: Namespace) -> int:
    lab = find_lab(words.lab)
    if words.format == "json":
        print_json(ask(lab, views.results_json))
        return 0
    if words.format == "tsv":
        write(ask(lab, results_files.tsv))
        return 0
    text = io.StringIO()
    rows = ask(lab, views.results_json)
    columns = list(dict.fromkeys(key for row in rows or [{"id": 0}] for key in row if key != "runs"))
    table = csv.DictWriter(text, [*columns, "runs"], lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({**row, "runs": " ".join(number(run["val_bpb"], ".6f") for run in row["runs"])})
    write(text.getvalue())
    return 0
