"""The chat-model protocol: what a conversation needs of a model, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
class Lost:
    """What came of a try that broke off or was cancelled, and what it has taken: the server has worked for it, and may
    want to be paid. Without a count of the server's the tokens are guesses by length, which `estimated` says.
    """

    text: str
    tokens_in: int
    tokens_out: int
    estimated: bool
    seconds: float
    first_token_seconds: float | None
    money: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. `estimated` says that the server counted no tokens and the counts are guesses by length.

    `finish_reason` is the server's word: `stop`, `tool_calls`, or `length` for an answer cut at the token limit; or
    `repetition` for one that was stopped because it repeated itself. `money` is what it cost by the prices that the
    model knows. `first_token_seconds` is from the request to the first piece, None when nothing came. `thought` says
    that the model thought apart from its text. `troubles` are those that the model object itself got over. `pieces` is
    in how many the reply came, 0 where that is not known. `lost` are the tries before this one that broke off.
    """

    text: str
    tool_calls: tuple[ToolCall, ...]
    tokens_in: int
    tokens_out: int
    finish_reason: str
    estimated: bool = False
    money: float = field(default=0.0, compare=False)
    first_token_seconds: float | None = field(default=None, compare=False)
    thought: bool = field(default=False, compare=False)
    troubles: tuple[str, ...] = field(default=(), compare=False)
    pieces: int = field(default=0, compare=False)
    lost: tuple[Lost, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """What a model is told of a tool; `parameters` is a JSON schema of an object."""

    name: str
    description: str
    parameters: dict[str, Any]


def reply_of(lost: Lost) -> Reply:
    """What came of a try, as a reply without calls."""
    return Reply(
        lost.text,
        (),
        lost.tokens_in,
        lost.tokens_out,
        "",
        estimated=lost.estimated,
        money=lost.money,
        first_token_seconds=lost.first_token_seconds,
    )


class ChatModel(Protocol):
    """A model behind whatever it takes. One object may hold several conversations at once."""

    @property
    def name(self) -> str:
        """As people see it."""
        ...

    async def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        on_text: Callable[[str], None],
        must_call: Sequence[ToolSpec] = (),
    ) -> Reply:
        """Answer a conversation; text is handed to `on_text` as it comes. Cancelling stops the stream.

        `must_call` are tools of which the reply ought to call one and say nothing else, natively if `tools` are given,
        else as text; a model whose endpoint cannot hold it to that answers as it likes.

        Raises ModelError, after retrying what may pass by itself. An error, that of being cancelled as well, carries
        what had come until then: see `lost_with`.
        """
        ...


def carry(error: BaseException, lost: Sequence[Lost]) -> None:
    """Give an error what had come of the tries until then."""
    error.lost = tuple(lost)  # type: ignore[attr-defined]


def lost_with(error: BaseException) -> tuple[Lost, ...]:
    """What `carry` gave an error to carry, nothing otherwise."""
    found: tuple[Lost, ...] = getattr(error, "lost", ())
    return found


ToolMode = Literal["auto", "native", "text"]
"""How a model is told of tools and calls them: as its endpoint and its habits show, natively only, or in text only."""


def tool_mode_of(model: ChatModel) -> ToolMode:
    """A model may have an attribute `tool_mode`."""
    wanted: ToolMode = getattr(model, "tool_mode", "auto")
    return wanted


def context_tokens_of(model: ChatModel) -> int | None:
    """The window of a model that knows it, in tokens; such a model has an attribute `context_tokens`."""
    known = getattr(model, "context_tokens", None)
    return known if isinstance(known, int) else None
