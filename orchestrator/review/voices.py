"""What the agents have said about an experiment: when proposing, patching and reviewing it, and in findings since."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.store.agents import Note
from orchestrator.store.calls import Turn, turn_of, turns_about
from orchestrator.store.reader import Reader
from orchestrator.store.records import Experiment

VERDICTS = {
    "approve": "approves it",
    "reject": "rejects it",
    "give_up": "gives it up",
    "submit_patch": "hands the patch in",
    "propose": "proposes it",
}
"""Calls whose reason is a word about the experiment, and how that is told."""


@dataclass(frozen=True, slots=True)
class Voice:
    """Something that an agent said. `at` is UTC, ISO 8601."""

    at: str
    agent: str
    does: str  # "approves it", "says", "finds"
    text: str


async def voices_of(reader: Reader, experiment: Experiment) -> list[Voice]:
    """All of them, in the order in which they were said."""
    said = []
    for turn in await _proposing(reader, experiment):
        said += [voice for voice in voices_in(turn) if experiment.title in voice.text or voice.does == "says"]
    for turn in await turns_about(reader, experiment.id):
        said += voices_in(turn)
    rows = await reader.rows(
        "SELECT * FROM notes WHERE text LIKE ? OR text LIKE ? ORDER BY id",
        (f"%xperiment {experiment.id}%", f"%xperiments %{experiment.id}%"),
    )
    for note in map(Note.from_row, rows):
        text = passages(note.text, experiment.id)
        if text:
            said.append(Voice(note.at, note.author, "reports" if note.kind == "report" else "finds", text))
    return sorted(said, key=lambda voice: voice.at)


async def _proposing(reader: Reader, experiment: Experiment) -> list[Turn]:
    """The turn in which a researcher proposed it: such a turn belongs to no experiment yet."""
    row = await reader.row(
        "SELECT id FROM calls WHERE agent = ? AND experiment_id IS NULL AND at >= ? AND instr(tool_calls, ?)"
        " ORDER BY id LIMIT 1",
        (experiment.author, experiment.created_at, json.dumps(experiment.title, ensure_ascii=False)[1:-1]),
    )
    if row is None:
        return []
    turn = await turn_of(reader, int(row["id"]))
    return [] if turn is None else [turn]


def voices_in(turn: Turn) -> list[Voice]:
    """The words of a turn: what the model wrote, and the reasons of its verdicts."""
    said = [Voice(turn.at, turn.agent, "says", turn.reply.strip())] if turn.reply.strip() else []
    for name, arguments in turn.tools:
        if name in VERDICTS:
            said.append(Voice(turn.at, turn.agent, VERDICTS[name], _words(name, arguments)))
    return said


def _words(name: str, arguments: str) -> str:
    try:
        given: Any = json.loads(arguments)
    except ValueError:
        return arguments.strip()
    if not isinstance(given, dict):
        return arguments.strip()
    if name == "propose":
        return "\n".join(f"{key}: {value}" for key, value in given.items() if str(value).strip())
    return str(given.get("reason") or given.get("summary") or "").strip()


def passages(text: str, experiment_id: int) -> str:
    """The lines of a note that name the experiment by its number."""
    named = re.compile(rf"\bexperiments?\s+(?:\d+(?:\.\d+)?\s*(?:,|and|to|\.\.)\s*)*{experiment_id}\b(?!\.\d)", re.I)
    lines: Sequence[str] = text.splitlines()
    return "\n".join(line.strip() for line in lines if named.search(line))
