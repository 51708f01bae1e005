"""Reading a conversation: what was asked, what was called, and what came back."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from roles.chat import Message, ToolCall


@dataclass(frozen=True, slots=True)
class Call:
    """A call of this conversation with its answer."""

    name: str
    arguments: dict[str, Any]
    answer: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What is said, and the calls that follow from it."""

    words: str
    calls: tuple[ToolCall, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """An experiment as a brief shows it."""

    id: int
    title: str
    source: str
    variable: str
    hypothesis: str
    edit: str


_BLOCK = re.compile(
    r"^Experiment (?P<id>\d+)\nTitle: (?P<title>.*)\nSource: (?P<source>.*)\nVariable: (?P<variable>.*)\n"
    r"Hypothesis: (?P<hypothesis>.*)\nEdit: (?P<edit>.*)$",
    re.MULTILINE,
)


def brief_of(messages: Sequence[Message]) -> str:
    return next((message.content for message in messages if message.role == "user"), "")


def blocks(brief: str) -> list[Block]:
    return [
        Block(
            int(match["id"]),
            match["title"].strip(),
            match["source"].strip(),
            match["variable"].strip(),
            match["hypothesis"].strip(),
            match["edit"].strip(),
        )
        for match in _BLOCK.finditer(brief)
    ]


def calls(messages: Sequence[Message]) -> list[Call]:
    """Every answered call, in order."""
    answers = {message.tool_call_id: message.content for message in messages if message.role == "tool"}
    found = []
    for message in messages:
        for call in message.tool_calls:
            if call.id in answers:
                found.append(Call(call.name, json.loads(call.arguments), answers[call.id]))
    return found


def last_answer(made: Sequence[Call], name: str) -> str | None:
    return next((call.answer for call in reversed(made) if call.name == name), None)


def make(name: str, number: int, **arguments: Any) -> ToolCall:
    return ToolCall(f"offline_{number}", name, json.dumps(arguments, ensure_ascii=False))
