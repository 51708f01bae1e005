"""Putting a streamed reply together: pieces of text and of tool calls, as different servers send them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from roles.api_key import Sieve, masked
from roles.chat import Lost, Reply, ToolCall
from roles.repetition import Repetition, once

CHARACTERS_PER_TOKEN = 4
MOST_CHARACTERS = 400_000
"""A longer reply is stopped as if it had met the server's own limit."""
MOST_CALLS = 64
"""More in one reply are repetition."""


class CutShort(Exception):
    """The stream ended, or broke, before the reply was whole; asking again may help."""


class NoReply(CutShort):
    """What has come was no stream of a reply, as from a web page."""


class Stopped(Exception):
    """The reply was heard to no good end: read no further, and take what is there."""


@dataclass(slots=True)
class _PartialCall:
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(slots=True)
class ReplyParts:
    """What has come of a reply so far; `key` is what must not be shown though a server sends it back."""

    on_text: Callable[[str], None]
    key: str = ""
    started: float = field(default_factory=time.monotonic)
    first_token_seconds: float | None = None
    thought: bool = False
    watched: Repetition = field(default_factory=Repetition)
    text: list[str] = field(default_factory=list)
    calls: list[_PartialCall] = field(default_factory=list)
    current: dict[int | None, _PartialCall] = field(default_factory=dict)  # by the index that the server gives
    characters: int = 0
    taken: int = 0  # chunks
    pieces: int = 0
    finish_reason: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    shown: Sieve = field(init=False)

    def __post_init__(self) -> None:
        self.shown = Sieve(self.key, self.on_text)

    def take(self, chunk: Any) -> None:
        """Add a chunk of the stream. Raises CutShort when it is none, Stopped when the reply repeats itself or has
        grown too long.

        The client library does not check what a server sends, so nothing is taken for granted here.
        """
        if not hasattr(chunk, "choices"):
            raise CutShort("sent something that is no piece of a reply")
        usage = getattr(chunk, "usage", None)
        self.tokens_in = _count(getattr(usage, "prompt_tokens", None), self.tokens_in)
        self.tokens_out = _count(getattr(usage, "completion_tokens", None), self.tokens_out)
        self.taken += 1
        for choice in (chunk.choices or [])[:1]:
            self.finish_reason = getattr(choice, "finish_reason", None) or self.finish_reason
            delta = getattr(choice, "delta", None)
            self._take_text(delta)
            for piece in getattr(delta, "tool_calls", None) or []:
                self._take_call(piece)
        if len(self.calls) > MOST_CALLS:
            raise self._stopped("repetition")
        if self.characters > MOST_CHARACTERS:
            raise self._stopped("length")

    def _stopped(self, why: str) -> Stopped:
        self.finish_reason = why
        return Stopped(why)

    def _came(self, piece: str) -> None:
        """Count a piece. Raises Stopped when what came lately is repetition."""
        if self.first_token_seconds is None:
            self.first_token_seconds = time.monotonic() - self.started
        self.characters += len(piece)
        self.pieces += bool(piece)
        if self.watched.take(piece):
            raise self._stopped("repetition")

    def _take_text(self, delta: Any) -> None:
        # Servers of reasoning models send the thinking apart, by one of two names: it is shown, and not kept.
        thought = getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None)
        for piece, kept in ((thought, False), (getattr(delta, "content", None), True)):
            if isinstance(piece, str) and piece:
                self.shown.take(piece)
                if kept:
                    self.text.append(piece)
                else:
                    self.thought = True
                self._came(piece)

    def _take_call(self, piece: Any) -> None:
        call = self._call_of(piece)
        function = getattr(piece, "function", None)
        name, arguments = getattr(function, "name", None), getattr(function, "arguments", None)
        call.id = call.id or getattr(piece, "id", None) or ""
        call.name = call.name or name or ""
        if arguments is not None:
            written = arguments if isinstance(arguments, str) else json.dumps(arguments)
            call.arguments += written
            self._came(written)

    def _call_of(self, piece: Any) -> _PartialCall:
        """The call that a piece goes on with, by its index; or a new one.

        Some servers number every call 0 and tell them apart by id; some send whole calls without a number.
        """
        index, given_id = getattr(piece, "index", None), getattr(piece, "id", None)
        call = self.current.get(index)
        new = call is None or bool(given_id and call.id and given_id != call.id)
        if call is not None and index is None and not given_id:
            new = bool(call.name and getattr(getattr(piece, "function", None), "name", None))
        if call is None or new:
            call = _PartialCall()
            self.calls.append(call)
            self.current[index] = call
        return call

    def whole(self, asked: str, turn: int) -> Reply:
        """The reply. `asked` is the text of the request, for estimates; `turn` makes ids unique that a server left out.

        Raises CutShort when the stream has ended without saying why: then the rest is missing.
        """
        self.shown.close()
        if not self.taken:
            raise NoReply("answered without one piece of a reply")
        if self.finish_reason is None:
            raise CutShort("cut a reply short")
        text = self._clean("".join(self.text))
        if self.finish_reason == "repetition":  # of a call nothing can be kept, of the text one copy
            self.calls, text = [], once(text)
        calls = tuple(
            ToolCall(call.id or f"call_{turn}_{number}", self._clean(call.name), self._clean(call.arguments))
            for number, call in enumerate(self.calls)
        )
        written = self.characters + sum(len(call.name) for call in calls)
        return Reply(
            text=text,
            tool_calls=calls,
            tokens_in=_estimate(len(asked)) if self.tokens_in is None else self.tokens_in,
            tokens_out=_estimate(written) if self.tokens_out is None else self.tokens_out,
            finish_reason=self.finish_reason,
            estimated=self.tokens_in is None or self.tokens_out is None,
            first_token_seconds=self.first_token_seconds,
            thought=self.thought,
            pieces=self.pieces,
        )

    def lost(self, asked: str) -> Lost | None:
        """What has come of a reply that broke off; None where not even its first piece did."""
        self.shown.close()
        if self.first_token_seconds is None and self.tokens_in is None:
            return None
        written = self.characters + sum(len(call.name) for call in self.calls)
        return Lost(
            text=self._clean("".join([*self.text, *(f"\n{call.name} {call.arguments}" for call in self.calls)])),
            tokens_in=_estimate(len(asked)) if self.tokens_in is None else self.tokens_in,
            tokens_out=_estimate(written) if self.tokens_out is None else self.tokens_out,
            estimated=self.tokens_in is None or self.tokens_out is None,
            seconds=time.monotonic() - self.started,
            first_token_seconds=self.first_token_seconds,
        )

    def _clean(self, text: str) -> str:
        return masked(_mended(text), self.key)


def _count(given: Any, before: int | None) -> int | None:
    return given if isinstance(given, int) else before


def _mended(text: str) -> str:
    """The text with characters whole that were cut in two between pieces; what is left of others is replaced."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _estimate(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)
