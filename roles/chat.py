"""The chat-model protocol: what a conversation needs of a model, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as the model wrote it; `arguments` is meant to be a JSON object, but it is the model's text."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. Token counts are the server's, or estimates where it gives none."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    tokens_in: int
    tokens_out: int
    finish_reason: str


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model is told of a tool; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: dict[str, Any]


class ChatModel(Protocol):
    @property
    def name(self) -> str:
        """As people see it."""
        ...

    async def reply(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], on_text: Callable[[str], None]
    ) -> Reply:
        """Answer a conversation; text is handed to `on_text` as it comes. Raises ModelError."""
        ...
