"""The verb `report`: the lab's story as Markdown on standard output and in a file, with its picture beside it."""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import Namespace
from pathlib import Path

from orchestrator.cli.saying import say, write
from orchestrator.errors import LabError
from orchestrator.lab import Lab, find_lab
from orchestrator.report.facts import Facts, facts_of
from orchestrator.report.markdown import markdown
from orchestrator.store.reader import Reader

TEXT, PICTURE = "report.md", "best_score.png"


def report(words: Namespace) -> int:
    lab = find_lab(words.lab)
    into = Path(words.out).expanduser() if words.out else lab.root / ".autolab" / "report"
    facts = asyncio.run(_facts(lab))
    measured = any(one.val_bpb is not None for one in facts.scored)
    text = markdown(facts, PICTURE if measured else None)
    try:
        into.mkdir(parents=True, exist_ok=True)
        (into / TEXT).write_text(text, encoding="utf-8")
        if measured:
            from orchestrator.report.picture import draw  # the plotting library takes a while to load

            draw(facts, into / PICTURE)
    except OSError as error:
        raise LabError(
            f"The report cannot be written to {into} ({error.strerror}).", "Name another directory with --out."
        ) from error
    if words.json:
        write(json.dumps({"markdown": str(into / TEXT), "picture": str(into / PICTURE) if measured else None}) + "\n")
    else:
        say(text, end="")
        say(f"autolab: written to {into / TEXT}{f' and {PICTURE}' if measured else ''}", to=sys.stderr)
    return 0


async def _facts(lab: Lab) -> Facts:
    async with Reader(lab.database) as reader:
        return await facts_of(lab, reader)
