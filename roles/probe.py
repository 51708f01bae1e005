"""One tiny exchange with a model, to learn what it can do: stream, call a tool, count tokens."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import Field

from roles.chat import ChatModel, Message, Reply, tool_mode_of
from roles.errors import ToolsRefused
from roles.schema import Parameters
from roles.text_calls import as_text, calls_in
from roles.tools import Answer, tool_of

ASKED = "Call the tool `ready` with the word `yes`. Write nothing else."


class Ready(Parameters):
    """Say that you are ready."""

    example: ClassVar[dict[str, Any]] = {"word": "yes"}

    word: str = Field(description="the word yes")


async def _answered(_: dict[str, Any]) -> Answer:
    return Answer("Good.", finished=True)


READY = tool_of("ready", Ready, _answered)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the exchange showed. `tools` is "native" for a native call, "refused" where the endpoint takes no tools,
    "text" for a call written as text, "none" where none came. `streams` is None where the reply was too short to tell.
    """

    seconds: float
    tools: str
    streams: bool | None
    counts: bool  # tokens
    tokens: int
    remedies: tuple[str, ...]

    @property
    def told(self) -> str:
        """In a few words."""
        tools = {
            "native": "calls tools natively",
            "text": "writes its calls as text, which is understood",
            "refused": "takes no tools, so calls are written as text",
            "none": "called no tool",
        }[self.tools]
        streams = {True: "streams", False: "sends a reply in one piece", None: "sent too little to see it stream"}
        counts = "counts tokens" if self.counts else "counts no tokens"
        return f"answers in {self.seconds:.1f} s; {streams[self.streams]}; {tools}; {counts}"


async def probe(model: ChatModel) -> Abilities:
    """Ask once for a call of a tool; where the endpoint refuses tools, the same in text. Raises ModelError."""
    messages = (Message("system", "You are being tried out."), Message("user", ASKED))
    begun, refused = time.monotonic(), False
    reply: Reply
    if tool_mode_of(model) == "text":
        reply = await model.reply(as_text(messages, [READY.spec]), [], lambda _: None)
    else:
        try:
            reply = await model.reply(messages, [READY.spec], lambda _: None)
        except ToolsRefused:
            refused = True
            reply = await model.reply(as_text(messages, [READY.spec]), [], lambda _: None)
    tools = _tools(reply, refused)
    streams = None if reply.pieces <= 1 and reply.tokens_out < 4 else reply.pieces > 1
    remedies = tuple(_remedies(tools, streams, not reply.estimated, tool_mode_of(model)))
    return Abilities(
        time.monotonic() - begun, tools, streams, not reply.estimated, reply.tokens_in + reply.tokens_out, remedies
    )


def _tools(reply: Reply, refused: bool) -> str:
    if refused:
        return "refused"
    if reply.tool_calls:
        return "native"
    return "text" if calls_in(reply.text, [READY.name])[1] else "none"


def _remedies(tools: str, streams: bool | None, counts: bool, mode: str) -> list[str]:
    """What a person can do about what is missing, one sentence each."""
    found = []
    start = (
        "start the server with tool calls (vLLM: --enable-auto-tool-choice and --tool-call-parser; llama.cpp: --jinja)"
    )
    match tools:
        case "refused" if mode == "native":
            found.append(f'For native calls {start}, or set tool_mode = "text".')
        case "refused" | "text" if mode != "text":
            found.append(f'It works as it is; for native calls {start}, or set tool_mode = "text" to begin so.')
        case "none":
            try_first = "" if mode == "text" else 'tool_mode = "text" or '
            found.append(
                f"It did not do as it was told. Try {try_first}a larger model, or name another one after it in the"
                " role's list."
            )
    if streams is False:
        found.append(
            "Let the server stream, else nothing is seen of a reply until it is whole, and timeout_seconds must last."
        )
    if not counts:
        found.append("Tokens and money are estimated by length: budgets in tokens or money are rough with it.")
    return found
