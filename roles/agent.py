"""The agent loop: one job, one conversation, until a finishing call or a reason why there is none.

Whatever a model replies is answered with what it needs to do better: broken JSON, unknown tools, wrong arguments,
prose without a call. Nothing is repeated for ever: calls and nudges are counted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from roles.chat import ChatModel, Message, Reply, ToolCall
from roles.errors import ModelError, ToolRefusal
from roles.tools import FINISHING, Answer, Tool

LONGEST_ANSWER = 60_000
RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    replies: int = 40  # of the model, in one job
    nudges: int = 3  # after replies without a call
    retries: int = 3  # after failures of the model that may pass


@dataclass(frozen=True, slots=True)
class Finished:
    """The job came to its end by a finishing call."""

    tool: str
    arguments: dict[str, Any]
    text: str
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The job came to no end; the reason is for people."""

    reason: str
    tokens_in: int
    tokens_out: int


class Journal(Protocol):
    """Where the conversation can be watched."""

    def thinking(self) -> None: ...
    def text(self, piece: str) -> None: ...
    def call(self, name: str, arguments: str) -> None: ...
    def answer(self, name: str, text: str) -> None: ...
    def note(self, text: str) -> None: ...
    def usage(self, tokens_in: int, tokens_out: int) -> None: ...


class _Conversation:
    """The state of one job."""

    def __init__(self, model: ChatModel, tools: Sequence[Tool], journal: Journal, limits: Limits) -> None:
        self.model = model
        self.tools = {tool.spec.name: tool for tool in tools}
        self.journal = journal
        self.limits = limits
        self.messages: list[Message] = []
        self.tokens_in = 0
        self.tokens_out = 0
        self.nudges = 0

    def gave_up(self, reason: str) -> GaveUp:
        return GaveUp(reason, self.tokens_in, self.tokens_out)

    async def next_reply(self) -> Reply:
        """The model's next reply; failures that may pass are tried again. Raises ModelError."""
        specs = [tool.spec for tool in self.tools.values()]
        for attempt in range(self.limits.retries + 1):
            self.journal.thinking()
            try:
                reply = await self.model.reply(self.messages, specs, self.journal.text)
            except ModelError as error:
                if not error.retry or attempt == self.limits.retries:
                    raise
                self.journal.note(f"{error.sentence} Trying again.")
                await asyncio.sleep(RETRY_SECONDS * 2**attempt)
                continue
            self.tokens_in += reply.tokens_in
            self.tokens_out += reply.tokens_out
            self.journal.usage(reply.tokens_in, reply.tokens_out)
            return reply
        raise AssertionError("unreachable")

    async def carry_out(self, call: ToolCall) -> tuple[Answer, dict[str, Any]]:
        """A call's answer, and its arguments; what is wrong with the call is an answer, too."""
        self.journal.call(call.name, call.arguments)
        answer, arguments = await self._carry_out(call)
        self.journal.answer(call.name, answer.text)
        return answer, arguments

    async def _carry_out(self, call: ToolCall) -> tuple[Answer, dict[str, Any]]:
        tool = self.tools.get(call.name)
        if tool is None:
            return Answer(f"There is no tool {call.name!r}. Tools: {', '.join(self.tools)}."), {}
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError as error:
            return Answer(f"The arguments are not valid JSON ({error}). {_schema(tool)}"), {}
        if not isinstance(arguments, dict):
            return Answer(f"The arguments must be one JSON object. {_schema(tool)}"), {}
        try:
            answer = await tool(arguments)
        except ToolRefusal as refusal:
            text = str(refusal)
            return Answer(f"{text} {_schema(tool)}" if text.startswith("The arguments of") else text), arguments
        if len(answer.text) > LONGEST_ANSWER:
            cut = f"{answer.text[:LONGEST_ANSWER]}\n[cut: {len(answer.text)} characters in all]"
            answer = Answer(cut, answer.finished)
        return answer, arguments

    def nudge(self) -> str:
        """What a model is told that ended its turn without a call."""
        finishing = [name for name in self.tools if name in FINISHING]
        example = self.tools[finishing[0]] if finishing else next(iter(self.tools.values()))
        return (
            "The job is not finished: your reply called no tool. Go on by calling one of"
            f" {', '.join(self.tools)}; the job ends only with {' or '.join(finishing)}. {_schema(example)}"
        )


def _schema(tool: Tool) -> str:
    return f"{tool.spec.name} takes: {json.dumps(tool.spec.parameters, separators=(',', ':'))}"


async def converse(
    model: ChatModel,
    system: str,
    brief: str,
    tools: Sequence[Tool],
    journal: Journal,
    limits: Limits = Limits(),
) -> Finished | GaveUp:
    """Hold one conversation to its end. Cancelling it stops the model's stream at once."""
    talk = _Conversation(model, tools, journal, limits)
    talk.messages += [Message("system", system), Message("user", brief)]
    for _ in range(limits.replies):
        try:
            reply = await talk.next_reply()
        except ModelError as error:
            return talk.gave_up(f"{error.sentence} {error.remedy}".strip())
        talk.messages.append(Message("assistant", reply.text, reply.tool_calls))
        if not reply.tool_calls:
            talk.nudges += 1
            if talk.nudges > limits.nudges:
                return talk.gave_up(f"the model ended its turn {talk.nudges} times without calling a tool")
            journal.note("the reply called no tool; the model is told what is missing")
            talk.messages.append(Message("user", talk.nudge()))
            continue
        finished: Finished | None = None
        for call in reply.tool_calls:
            if finished is not None:
                talk.messages.append(Message("tool", "The job is finished.", tool_call_id=call.id))
                continue
            answer, arguments = await talk.carry_out(call)
            talk.messages.append(Message("tool", answer.text, tool_call_id=call.id))
            if answer.finished:
                finished = Finished(call.name, arguments, answer.text, talk.tokens_in, talk.tokens_out)
        if finished is not None:
            return finished
    return talk.gave_up(f"the job was not finished after {limits.replies} replies of the model")
