"""Messages and tools as the OpenAI chat protocol writes them."""

from __future__ import annotations

from typing import Any

from roles.chat import Message, ToolSpec


def message_json(message: Message) -> dict[str, Any]:
    """One entry of the conversation."""
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        found["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        found["tool_call_id"] = message.tool_call_id
    return found


def tool_json(tool: ToolSpec) -> dict[str, Any]:
    """One tool on offer."""
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
    }
