"""One context of one model: replies are asked for and answered until the job ends, or this context leads nowhere."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from roles.chat import Lost, Message, Reply, ToolCall, context_tokens_of, lost_with, reply_of
from roles.desk import Desk, Done
from roles.errors import ContextFull, ModelError, ToolRefusal, ToolsRefused
from roles.journal import Journal
from roles.json_repair import object_of
from roles.limits import Limits
from roles.nudges import nudge, trouble_of
from roles.record import CallRecord, Outcome, Trouble, prompt_hash
from roles.steering import Answered, Steering
from roles.tally import Player, Stuck, Tally
from roles.text_calls import as_text, calls_in, with_calls
from roles.thoughts import spoken
from roles.window import condensed, size

RESERVE = 0.25
"""Of the window, kept free for the reply."""
FEWEST_PER_CHARACTER = 0.15
"""Tokens; a server that counts fewer leaves something out."""
LONG, GROWN = 8_000, 2_000
"""Characters of a prompt, and of what was added to it, of which a count of tokens says for sure that some were cut."""
SHRINKINGS = 4
"""Tries to make a conversation fit that the endpoint finds too long."""
FREE_ENDINGS = 2
"""Turns without a call that a job allows a model; from then on each of its replies is held to one."""
NOTHING = Reply("", (), 0, 0, "")
"""Where there is no reply."""


class Conversation:
    """The state of one context."""

    def __init__(
        self,
        player: Player,
        desk: Desk,
        system: str,
        brief: str,
        journal: Journal,
        limits: Limits,
        tally: Tally,
        turn: Callable[[], Awaitable[None]],
    ) -> None:
        self.player = player
        self.desk = desk
        self.journal = journal
        self.limits = limits
        self.tally = tally
        self.turn = turn
        self.messages = [Message("system", system), Message("user", brief)]
        self.nudges = 0
        self.refusals = 0
        self.in_prose = 0
        self.steering = Steering(limits.looks)
        self.troubles: list[Trouble] = []
        self.asked_at = 0.0
        self.prompt = ""
        self.counted: tuple[int, int] | None = None  # characters of the last prompt, and its tokens by the server

    async def hold(self) -> Done | Stuck:
        """Hold the conversation to its end."""
        self.desk.begin_context()
        while self.player.left > 0:
            self.troubles = []
            await self.turn()
            try:
                reply = await self._next_reply()
            except ModelError as error:
                return Stuck(f"{error.sentence} {error.remedy}".strip(), fresh=False, endpoint=error.passing)
            done: Done | None = None
            answered: list[Answered] = []
            if reply.tool_calls:
                done, answered = await self._carry_out_all(reply)
            else:
                self._nudge(reply)
            self._record(reply, done, answered)
            self._steer(answered)
            if done is not None:
                return done
            if (why := self._stuck()) is not None:
                return why
        return Stuck(f"the job was not finished after {self.limits.calls} replies of the model", fresh=False)

    def _stuck(self) -> Stuck | None:
        if self.nudges > self.limits.nudges:
            return Stuck(f"the model ended its turn {self.nudges} times without calling a tool", fresh=True)
        if self.refusals >= self.limits.refusals:
            return Stuck(f"every call of the model's last {self.refusals} replies was refused", fresh=True)
        if self.desk.goes_round:
            return Stuck("the model made the same call again and again", fresh=True)
        return None

    # -- asking

    async def _next_reply(self) -> Reply:
        """The model's next reply, understood and entered into the conversation. Raises ModelError."""
        self.journal.thinking()
        self.player.left -= 1
        self.asked_at = time.monotonic()
        reply = self._understood(await self._asked())
        self._lose(reply.lost)
        self.journal.usage(reply.tokens_in, reply.tokens_out)
        if reply.estimated:
            self.troubles.append(Trouble.NO_USAGE)
            if not self.tally.told_of_estimates:
                self.tally.told_of_estimates = True
                self.journal.note("the server counts no tokens: the counts are estimates by length")
        calls = tuple(_sendable(call) for call in reply.tool_calls)
        said = spoken(reply.text).strip()
        # Some servers refuse an assistant's message without any content.
        self.messages.append(Message("assistant", said or ("" if calls else "(an empty reply)"), calls))
        return replace(
            reply,
            tool_calls=tuple(replace(call, id=sent.id) for call, sent in zip(reply.tool_calls, calls, strict=True)),
        )

    async def _asked(self) -> Reply:
        """The reply to the conversation as it fits the model. Raises ModelError."""
        for _ in range(SHRINKINGS + 1):
            specs = [tool.spec for tool in self.desk.offered]
            self._fit()
            messages = as_text(self.messages, specs) if self.player.as_text else self.messages
            sent = [] if self.player.as_text else specs
            self.prompt = prompt_hash(messages, sent)
            try:
                nudged = self.nudges > 0 or self.player.endings >= FREE_ENDINGS
                held_to = self.steering.held_to(self.desk.offered, nudged)
                reply = await self.player.model.reply(tuple(messages), sent, self.journal.text, held_to)
            except ToolsRefused as refused:
                if self.player.as_text or self.player.native:
                    self._failed(refused)
                    raise
                self.troubles.append(Trouble.TOOLS_REFUSED)
                self.player.as_text = True
                self.journal.note("the endpoint takes no tools: calls are written as text from now on")
            except ContextFull as full:
                self.troubles.append(Trouble.CONTEXT_FULL)
                if not self._shrink(full):
                    self._failed(full)
                    raise
            except ModelError as error:
                self._failed(error)
                raise
            except asyncio.CancelledError as cancelled:
                self._cancelled(lost_with(cancelled))
                raise
            else:
                if not reply.estimated and reply.tokens_in > 0:
                    self._weigh(size(messages, sent), reply.tokens_in)
                return reply
        too_long = ModelError("The conversation does not fit the model's window.", "Name a model with a longer one.")
        self._failed(too_long)
        raise too_long

    def _weigh(self, characters: int, tokens: int) -> None:
        """Learn from the server's count of a prompt how long a text may be; a count that cannot be is told."""
        self.player.tokens_per_character = min(1.0, max(FEWEST_PER_CHARACTER, tokens / characters))
        before, self.counted = self.counted, (characters, tokens)
        grew = before is not None and characters - before[0] >= GROWN and tokens <= before[1]
        if grew or (tokens < FEWEST_PER_CHARACTER * characters and characters >= LONG):
            self.troubles.append(Trouble.PROMPT_CUT)
            if not self.tally.told_of_cut:
                self.tally.told_of_cut = True
                self.journal.note(
                    f"the server counts {tokens} tokens for {characters} characters: it reads only a part"
                )

    def _steer(self, answered: Sequence[Answered]) -> None:
        if told := self.steering.take(answered, Trouble.SAME_CALL in self.troubles):
            self.journal.note("it only looks; what moves the job on is asked for")
            self.messages[-1] = replace(self.messages[-1], content=f"{self.messages[-1].content}\n{told}")

    def _understood(self, reply: Reply) -> Reply:
        """The reply with calls that stand in its text, where the model may or keeps writing them so."""
        if reply.tool_calls:
            self.player.called = True
        if reply.tool_calls or self.player.native:
            return reply
        names = [tool.name for tool in self.desk.offered]
        if not self.player.as_text:
            if not calls_in(reply.text, names)[1] or reply.finish_reason == "repetition":
                return reply
            self.in_prose += 1
            if self.in_prose < 2:
                return reply
            self.player.as_text = True
            self.troubles.append(Trouble.CALL_IN_PROSE)
            self.journal.note("the model writes its calls as text: they are taken so from now on")
        reply = with_calls(reply, names)
        self.player.called_in_text |= bool(reply.tool_calls)
        return reply

    # -- the window

    def _window(self) -> int | None:
        known = [window for window in (context_tokens_of(self.player.model), self.player.window) if window]
        return min(known) if known else None

    def _fit(self) -> None:
        """Condense older turns when the window is about to fill."""
        if (window := self._window()) is None:
            return
        characters = int(window * (1 - RESERVE) / self.player.tokens_per_character)
        self.desk.window_characters = characters
        most = characters - size([], [tool.spec for tool in self.desk.offered])
        self._condense(most)

    def _condense(self, most: int) -> bool:
        before = size(self.messages)
        if before <= most:
            return False
        self.messages = condensed(self.messages, most)
        after = size(self.messages)
        if after >= before:
            return False
        self.troubles.append(Trouble.CONDENSED)
        self.journal.note(f"the window fills: older turns are condensed from {before} to {after} characters")
        return True

    def _shrink(self, full: ContextFull) -> bool:
        """Make the conversation shorter than what the endpoint found too long; false when nothing is left to leave
        out."""
        specs = [tool.spec for tool in self.desk.offered]
        characters = size(self.messages, specs)
        if full.limit is not None:
            self.player.window = full.limit
            # It was too long, so a character takes more than was thought.
            floor = full.limit / characters
            self.player.tokens_per_character = min(1.0, max(self.player.tokens_per_character, floor))
        return self._condense(int(size(self.messages) * 0.6))

    # -- answering

    async def _carry_out_all(self, reply: Reply) -> tuple[Done | None, list[Answered]]:
        """Carry out a reply's calls in their order and answer each; the end of the job, if one of them ends it, and how
        each was answered."""
        answered: list[Answered] = []
        for call in reply.tool_calls:
            failed = next((one.name for one in answered if one.refusal), None)
            if failed is not None and self.desk.finishes(call.name):
                # A model that asked for both at once cannot have known: half a patch must not be submitted.
                answer = f"Not carried out, because {failed} failed before it. Read that answer first, then go on."
                self.journal.note(f"{call.name} is held back, because {failed} failed before it")
                self.troubles.append(Trouble.HELD_BACK)
                self.messages.append(Message("tool", answer, tool_call_id=call.id))
                continue
            self.journal.call(call.name, call.arguments)
            try:
                done = await self.desk.carry_out(call, reply.finish_reason, self.troubles)
            except ToolRefusal as refusal:
                answered.append(Answered(call.name, self.desk.named(call.name), refusal, call.arguments))
                self.journal.answer(call.name, str(refusal))
                self.messages.append(Message("tool", str(refusal), tool_call_id=call.id))
                continue
            answered.append(Answered(done.tool.name, done.tool, arguments=call.arguments))
            self.journal.answer(done.tool.name, done.answer.text)
            self.messages.append(Message("tool", done.answer.text, tool_call_id=call.id))
            if done.answer.finished:
                return done, answered
        self.nudges = 0
        self.refusals = self.refusals + 1 if all(one.refusal for one in answered) else 0
        return None, answered

    def _nudge(self, reply: Reply) -> None:
        names = [tool.name for tool in self.desk.offered]
        trouble = trouble_of(reply, names)
        self.troubles.append(trouble)
        self.nudges += 1
        self.player.endings += 1
        if self.nudges > self.limits.nudges:
            return
        self.journal.note(
            f"no tool was called; nudge {self.nudges} of {self.limits.nudges}, and nothing but a call is asked for"
        )
        told = nudge(trouble, self.desk.offered, self.player.as_text, self.nudges - 1)
        self.messages.append(Message("user", told))

    # -- the records

    def _record(self, reply: Reply, done: Done | None, answered: Sequence[Answered]) -> None:
        if done is not None:
            outcome = Outcome.FINISHED
        elif not reply.tool_calls:
            outcome = Outcome.NO_CALL
        else:
            outcome = Outcome.REFUSED if all(one.refusal for one in answered) else Outcome.WENT_ON
        troubles = (*(Trouble(name) for name in reply.troubles), *self.troubles)
        self._enter(reply, outcome, troubles)

    def _lose(self, lost: Sequence[Lost]) -> None:
        """Enter tries that broke off: what they took is gone, but taken."""
        for one in lost:
            self.journal.usage(one.tokens_in, one.tokens_out)
            self._enter(reply_of(one), Outcome.CUT, (), one.seconds)

    def _cancelled(self, lost: Sequence[Lost]) -> None:
        self._lose(lost[:-1])
        for one in lost[-1:]:
            self.journal.usage(one.tokens_in, one.tokens_out)
        self._enter(reply_of(lost[-1]) if lost else NOTHING, Outcome.CANCELLED, tuple(self.troubles))

    def _failed(self, error: ModelError) -> None:
        self._lose(lost_with(error))
        troubles = (*(Trouble(name) for name in error.troubles), *self.troubles, Trouble.MODEL_FAILED)
        self._enter(replace(NOTHING, text=error.sentence), Outcome.FAILED, troubles)

    def _enter(
        self, reply: Reply, outcome: Outcome, troubles: tuple[Trouble, ...], seconds: float | None = None
    ) -> None:
        self.tally.count(
            CallRecord(
                model=self.player.model.name,
                prompt_hash=self.prompt,
                reply=reply.text,
                tool_calls=reply.tool_calls,
                tokens_in=reply.tokens_in,
                tokens_out=reply.tokens_out,
                estimated=reply.estimated,
                money=reply.money,
                seconds=time.monotonic() - self.asked_at if seconds is None else seconds,
                first_token_seconds=reply.first_token_seconds,
                finish_reason=reply.finish_reason,
                outcome=outcome,
                troubles=troubles,
            )
        )


def _sendable(call: ToolCall) -> ToolCall:
    """The call as it may go back to a server: many refuse a history whose arguments are no JSON object."""
    try:
        found: dict[str, Any] = object_of(call.arguments)[0]
        arguments = json.dumps(found, allow_nan=False)
    except ValueError:
        arguments = "{}"
    return replace(call, name=call.name or "unnamed", arguments=arguments)
