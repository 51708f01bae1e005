"""The agent loop: one job, one conversation, until a finishing call or a reason why there is none.

Whatever a model replies is answered with what it needs to do better: broken JSON, unknown tools, wrong arguments,
prose without a call, a reply cut at its length limit. Nothing is repeated for ever: replies and nudges are counted.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from roles.chat import ChatModel, Message, Reply, ToolCall
from roles.errors import ModelError, ToolRefusal, WrongArguments
from roles.tools import FINISHING, Answer, Tool


@dataclass(frozen=True, slots=True)
class Limits:
    """Where a conversation ends that does not end by itself."""

    calls: int = 40  # of the model: its replies in one job
    nudges: int = 3  # after replies without a call, in one job
    answer_characters: int = 60_000  # of a tool's answer; the rest is cut and the model is told


@dataclass(frozen=True, slots=True)
class Finished:
    """The job came to its end by a finishing call; `text` is the tool's answer to it."""

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

    def thinking(self) -> None:
        """The model is asked for its next reply."""
        ...

    def text(self, piece: str) -> None:
        """A piece of the reply, as it streams."""
        ...

    def call(self, name: str, arguments: str) -> None:
        """A call as the model wrote it."""
        ...

    def answer(self, name: str, text: str) -> None:
        """What the model is answered."""
        ...

    def note(self, text: str) -> None:
        """What the loop itself has to say."""
        ...

    def usage(self, tokens_in: int, tokens_out: int) -> None:
        """What the last reply took."""
        ...


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
    if not talk.finishing:
        return talk.gave_up("none of the tools at hand ends the job: the role file takes them all away")
    talk.messages += [Message("system", system), Message("user", brief)]
    for _ in range(limits.calls):
        try:
            reply = await talk.next_reply()
        except ModelError as error:
            return talk.gave_up(f"{error.sentence} {error.remedy}".strip())
        if not reply.tool_calls:
            talk.nudges += 1
            if talk.nudges > limits.nudges:
                return talk.gave_up(f"the model ended its turn {talk.nudges} times without calling a tool")
            journal.note(f"no tool was called; nudge {talk.nudges} of {limits.nudges}")
            talk.messages.append(Message("user", talk.nudge(reply)))
            continue
        finished = await talk.carry_out_all(reply)
        if finished is not None:
            return finished
    return talk.gave_up(f"the job was not finished after {limits.calls} replies of the model")


class _Conversation:
    """The state of one job."""

    def __init__(self, model: ChatModel, tools: Sequence[Tool], journal: Journal, limits: Limits) -> None:
        self.model = model
        self.tools = {tool.name: tool for tool in tools}
        self.finishing = [name for name in self.tools if name in FINISHING]
        self.journal = journal
        self.limits = limits
        self.messages: list[Message] = []
        self.tokens_in = 0
        self.tokens_out = 0
        self.nudges = 0
        self.told_of_estimates = False

    def gave_up(self, reason: str) -> GaveUp:
        return GaveUp(reason, self.tokens_in, self.tokens_out)

    async def next_reply(self) -> Reply:
        """The model's next reply, entered into the conversation. Raises ModelError."""
        self.journal.thinking()
        specs = [tool.spec for tool in self.tools.values()]
        reply = await self.model.reply(tuple(self.messages), specs, self.journal.text)
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out
        self.journal.usage(reply.tokens_in, reply.tokens_out)
        if reply.estimated and not self.told_of_estimates:
            self.told_of_estimates = True
            self.journal.note("the server counts no tokens: the counts are estimates by length")
        calls = tuple(_sendable(call) for call in reply.tool_calls)
        # Some servers refuse an assistant's message without any content.
        text = reply.text if reply.text.strip() or calls else "(an empty reply)"
        self.messages.append(Message("assistant", text, calls))
        return reply

    async def carry_out_all(self, reply: Reply) -> Finished | None:
        """Carry out a reply's calls in their order and answer each; the end of the job, if one of them ends it."""
        failed: str | None = None
        for call in reply.tool_calls:
            if failed is not None and call.name in FINISHING:
                # A model that asked for both at once cannot have known: half a patch must not be submitted.
                answer = f"Not carried out, because {failed} failed before it. Read that answer first, then go on."
                self.journal.note(f"{call.name} is held back, because {failed} failed before it")
                self.messages.append(Message("tool", answer, tool_call_id=call.id))
                continue
            self.journal.call(call.name, call.arguments)
            try:
                arguments, done = await self._carry_out(call, reply.finish_reason)
            except ToolRefusal as refusal:
                failed = call.name
                self.journal.answer(call.name, str(refusal))
                self.messages.append(Message("tool", str(refusal), tool_call_id=call.id))
                continue
            self.journal.answer(call.name, done.text)
            self.messages.append(Message("tool", done.text, tool_call_id=call.id))
            if done.finished:
                return Finished(call.name, arguments, done.text, self.tokens_in, self.tokens_out)
        return None

    async def _carry_out(self, call: ToolCall, finish_reason: str) -> tuple[dict[str, Any], Answer]:
        """The checked arguments and the answer. Raises ToolRefusal with what the model needs to do better."""
        tool = self.tools.get(call.name)
        if tool is None:
            near = difflib.get_close_matches(call.name, self.tools, n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise ToolRefusal(f"There is no tool {call.name!r}.{meant} The tools are: {', '.join(self.tools)}.")
        try:
            arguments = tool.check(_object(call.arguments))
        except ValueError as error:
            cut = " The reply was cut at its length limit: write less at once." if finish_reason == "length" else ""
            raise ToolRefusal(f"The arguments of {tool.name} are {error}.{cut} {tool.usage}") from None
        except WrongArguments as wrong:
            raise ToolRefusal(f"{wrong} {tool.usage}") from None
        answer = await tool.handler(arguments)
        most = self.limits.answer_characters
        if len(answer.text) > most and not tool.parameters.whole:
            cut_text = (
                f"{answer.text[:most]}\n[cut here: {most} of {len(answer.text)} characters; ask for a smaller part]"
            )
            answer = replace(answer, text=cut_text)
        return arguments, answer

    def nudge(self, reply: Reply) -> str:
        """What a model is told that ended its turn without a call: what is missing, how it ends, and one example."""
        ends = " or ".join(f"`{name}`" for name in self.finishing)
        example = self.tools[self.finishing[0]]
        why = "your reply called no tool"
        if not reply.text.strip():
            why = "your reply was empty"
        elif reply.finish_reason == "length":
            why = "your reply was cut at its length limit before it called a tool; think less and write less"
        elif self._calls_in_prose(reply.text):
            why = "your reply wrote a tool call as text, which does nothing; make it as a real tool call"
        return (
            f"The job is not finished: {why}. Do not stop and do not ask: nobody reads your text but through tools."
            f" Do what is left of the job now with {_listed([n for n in self.tools if n not in FINISHING])}, and end it"
            f" with {ends}; nothing else ends it. {example.usage}"
        )

    def _calls_in_prose(self, text: str) -> bool:
        names = "|".join(re.escape(name) for name in self.tools)
        return re.search(rf'<tool_call|\b({names})\(|"name"\s*:\s*"({names})"', text) is not None


def _object(text: str) -> dict[str, Any]:
    """The JSON object in `text`; no text at all is an object without members. Raises ValueError."""
    if not text.strip():
        return {}
    try:
        found = json.loads(text, strict=False)  # raw line breaks inside strings are meant as such
    except ValueError as error:
        raise ValueError(f"not valid JSON ({error})") from None
    except RecursionError:
        raise ValueError("not valid JSON (nested without end)") from None
    if isinstance(found, str):  # an object that was written as a string
        return _object(found)
    if not isinstance(found, dict):
        raise ValueError("valid JSON but no object")
    return found


def _sendable(call: ToolCall) -> ToolCall:
    """The call as it may go back to a server: many refuse a history whose arguments are no JSON object."""
    try:
        arguments = json.dumps(_object(call.arguments), allow_nan=False)
    except ValueError:
        arguments = "{}"
    return replace(call, name=call.name or "unnamed", arguments=arguments)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "the tools"
