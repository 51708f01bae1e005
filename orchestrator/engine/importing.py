"""The command `import`: a results.tsv of earlier work becomes history that the agents see."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from orchestrator.history import read_results
from orchestrator.runs.log_text import inert
from orchestrator.store.writer import Writer


async def import_results(store: Writer, words: dict[str, Any], actor: str, maximised: bool) -> str:
    """Keep the rows of `words["text"]`, all or none; `words["name"]` is the file's name. Answers what is new.

    Raises LabError for a broken row.
    """
    name = PurePath(inert(str(words["name"]))).name or "results.tsv"
    results = read_results(str(words["text"]), name, maximised)
    if not results:
        return f"{name} holds no results"
    added = await store.add_history(results, name, actor)
    known = len(results) - added
    if not added:
        return f"nothing is new: all {known} results of {name} are here already"
    many = "1 result of" if added == 1 else f"{added} results of"
    return f"{many} {name} imported as history" + (f"; {known} were here already" if known else "")
