"""Making an older conversation shorter when the model's window fills.

The system message and the brief stay as they are, and so does the newest turn as long as it can. Of older turns first
the long texts go, then the turns themselves, of which one line each is kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from roles.chat import Message, ToolCall, ToolSpec

HEAD = 2
"""The system message and the brief."""
KEPT = 4
"""The newest messages, which are shortened last."""
SHORT = 160
"""Characters that are kept of a long text."""
SUMMARY_SHARE = 0.25
"""Of the characters, for the lines on older turns; the oldest go first."""
SUMMARY = "Earlier in this job, in short (its full texts are gone; call a tool again for what you need):"


def size(messages: Sequence[Message], tools: Sequence[ToolSpec] = ()) -> int:
    """Characters of a request, with a little for what stands around each message."""
    calls = [call for message in messages for call in message.tool_calls]
    return (
        sum(len(message.content) + 16 for message in messages)
        + sum(len(call.name) + len(call.arguments) + 40 for call in calls)
        + sum(len(tool.name) + len(tool.description) + len(json.dumps(tool.parameters)) for tool in tools)
    )


def condensed(messages: Sequence[Message], most: int) -> list[Message]:
    """The conversation in at most `most` characters, or as near to it as can be."""
    if size(messages) <= most:
        return list(messages)
    head, rest = list(messages[:HEAD]), list(messages[HEAD:])
    old = max(0, len(rest) - KEPT)
    rest = [_short(message) if number < old else message for number, message in enumerate(rest)]
    if size([*head, *rest]) <= most:
        return [*head, *rest]
    turns = _turns(rest)
    lines: list[str] = []
    while len(turns) > 1 and size([*head, *_summary(lines, most), *chain(*turns)]) > most:
        lines += _lines(turns.pop(0))
    kept = [*head, *_summary(lines, most), *chain(*turns)]
    if size(kept) <= most or not turns:
        return kept
    left = most - size([*head, *_summary(lines, most)])
    share = max(SHORT, left // len(turns[0]) - 80)
    return [*head, *_summary(lines, most), *(_short(message, share) for message in turns[0])]


def _turns(messages: Sequence[Message]) -> list[list[Message]]:
    """A reply and what it was answered is one turn: an answer must not stand without its call."""
    turns: list[list[Message]] = []
    for message in messages:
        if message.role == "assistant" or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def _lines(turn: Sequence[Message]) -> list[str]:
    """A line for each thing that happened in a turn; an earlier summary stays as it is."""
    if turn[0].role == "user" and turn[0].content.startswith(SUMMARY):
        return [line for line in turn[0].content.splitlines()[1:] if line]
    answers = {message.tool_call_id: message.content for message in turn if message.role == "tool"}
    return [
        f"- {call.name} {_clip(call.arguments, 80)}: {_clip(answers.get(call.id, ''), 100)}"
        for message in turn
        for call in message.tool_calls
    ]


def _summary(lines: Sequence[str], most: int) -> list[Message]:
    left, kept = int(most * SUMMARY_SHARE), list[str]()
    for line in reversed(lines):
        left -= len(line) + 1
        if left < 0:
            break
        kept.insert(0, line)
    return [Message("user", "\n".join([SUMMARY, *kept]))] if kept else []


def _short(message: Message, most: int = SHORT) -> Message:
    content = message.content
    if len(content) > most + 60 and message.role != "user":
        content = f"{content[:most]}\n[{len(content)} characters; the rest is left out, call the tool again for it]"
    return replace(message, content=content, tool_calls=tuple(_short_call(call) for call in message.tool_calls))


def _short_call(call: ToolCall) -> ToolCall:
    if len(call.arguments) <= 2 * SHORT:
        return call
    arguments = {
        name: f"{value[:SHORT]} [{len(value)} characters]" if isinstance(value, str) and len(value) > SHORT else value
        for name, value in json.loads(call.arguments).items()
    }
    return replace(call, arguments=json.dumps(arguments, ensure_ascii=False))


def _clip(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}..."
