"""A conversation as it came over the wire, for the rules of the offline model to go by."""

from __future__ import annotations

from typing import Any

from roles.chat import Message, ToolCall

_NOT_CARRIED_OUT = ("takes one JSON object of this schema", "There is no tool", "Not carried out, because", "very call")


def message_of(entry: dict[str, Any]) -> Message:
    """One entry of a request's messages."""
    made = tuple(
        ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
        for call in entry.get("tool_calls") or ()
    )
    return Message(entry["role"], entry.get("content") or "", made, entry.get("tool_call_id"))


def was_carried_out(message: Message) -> bool:
    """False for the answer to a call that was not, or was in vain: the rules cannot read it."""
    return message.role != "tool" or not any(words in message.content for words in _NOT_CARRIED_OUT)
