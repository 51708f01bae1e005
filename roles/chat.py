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
    """One entry of a conversation; a `tool` message answers the call `tool_call_id`."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `estimated` says that the server counted no tokens and the counts are guesses by length.

    `finish_reason` is the server's word: `stop`, `tool_calls`, or `length` for an answer cut at the token limit.
    """

    text: str
    tool_calls: tuple[ToolCall, ...]
    tokens_in: int
    tokens_out: int
    finish_reason: str
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model is told of a tool; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: dict[str, Any]


class ChatModel(Protocol):
    """A model behind whatever it takes. One object may hold several conversations at once."""

    @property
    def name(self) -> str:
        """As people see it."""
        ...

    async def reply(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], on_text: Callable[[str], None]
    ) -> Reply:
        """Answer a conversation; text is handed to `on_text` as it comes. Cancelling stops the stream.

        Raises ModelError, after retrying what may pass by itself.
        """
        ...
