"""What is kept of every call of a model, and the troubles that are counted."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from roles.chat import Message, ToolCall, ToolSpec


class Trouble(enum.StrEnum):
    """What went wrong and was answered or mended; the value is the name in records."""

    NO_CALL = "no_call"
    EMPTY = "empty"
    ONLY_THINKING = "only_thinking"
    CALL_IN_PROSE = "call_in_prose"
    CUT = "cut"
    REPETITION = "repetition"
    BROKEN_JSON = "broken_json"
    MENDED_JSON = "mended_json"
    WRONG_ARGUMENTS = "wrong_arguments"
    MENDED_ARGUMENTS = "mended_arguments"
    COPIED_EXAMPLE = "copied_example"
    UNKNOWN_TOOL = "unknown_tool"
    MENDED_NAME = "mended_name"
    REFUSED = "refused"
    HELD_BACK = "held_back"
    SAME_CALL = "same_call"
    NO_USAGE = "no_usage"
    TOOLS_REFUSED = "tools_refused"
    TOOLS_UNSEEN = "tools_unseen"
    CONTEXT_FULL = "context_full"
    CONDENSED = "condensed"
    PROMPT_CUT = "prompt_cut"
    RATE_LIMIT = "rate_limit"
    SERVER_ERROR = "server_error"
    NO_ANSWER = "no_answer"
    CUT_STREAM = "cut_stream"
    MODEL_FAILED = "model_failed"
    FRESH_CONTEXT = "fresh_context"
    NEXT_MODEL = "next_model"


class Outcome(enum.StrEnum):
    """What became of a call of the model."""

    FINISHED = "finished"
    """A finishing call was accepted."""
    WENT_ON = "went on"
    """Some call was carried out."""
    REFUSED = "refused"
    """Every call was refused."""
    NO_CALL = "no call"
    CUT = "cut"
    """The reply broke off, and was asked for again or given up."""
    FAILED = "failed"
    """There was no reply."""
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call of a model. Times are in seconds, `money` in the currency of the prices; tokens may be estimates.

    `seconds` includes waiting and asking again; `first_token_seconds` is that of the request that was answered, None
    when nothing came. `reply` is what the model said, as far as it came, or why there is no reply.
    """

    model: str
    prompt_hash: str
    reply: str
    tool_calls: tuple[ToolCall, ...]
    tokens_in: int
    tokens_out: int
    estimated: bool
    money: float
    seconds: float
    first_token_seconds: float | None
    finish_reason: str
    outcome: Outcome
    troubles: tuple[Trouble, ...]


def prompt_hash(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> str:
    """The SHA-256 of what the model was asked, in hexadecimal."""
    asked = [
        [
            [message.role, message.content, [[call.name, call.arguments] for call in message.tool_calls]]
            for message in messages
        ],
        [[tool.name, tool.description, tool.parameters] for tool in tools],
    ]
    return hashlib.sha256(json.dumps(asked, sort_keys=True, ensure_ascii=False).encode(errors="replace")).hexdigest()
