"""Carrying out a model's calls: what was meant is found out where it is clear, and told where it is not."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from roles.chat import ToolCall
from roles.errors import ToolRefusal, WrongArguments
from roles.json_repair import object_of
from roles.limits import Limits
from roles.pages import Pages
from roles.record import Trouble
from roles.tools import FINISHING, Answer, Tool

_WRAPPERS = ("arguments", "parameters", "args", "kwargs", "input")
MOST_WORK = 15
"""Lines on what was done, for a fresh context."""


@dataclass(slots=True)
class Done:
    """A call that was carried out."""

    tool: Tool
    arguments: dict[str, Any]
    answer: Answer


@dataclass(slots=True)
class Desk:
    """The tools of a job and what was done with them; it outlives a context and a model."""

    tools: Sequence[Tool]
    limits: Limits
    pages: Pages = field(default_factory=Pages)
    work: list[str] = field(default_factory=list)
    same: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    window_characters: int | None = None

    @property
    def offered(self) -> list[Tool]:
        """The tools at hand: with the one for long answers as soon as there is one."""
        return [*self.tools, self.pages.tool] if self.pages else list(self.tools)

    def begin_context(self) -> None:
        """A model that starts anew may repeat what an earlier one asked."""
        self.same.clear()

    async def carry_out(self, call: ToolCall, finish_reason: str, troubles: list[Trouble]) -> Done:
        """Carry out a call. Raises ToolRefusal with what the model needs to do better; adds to `troubles`."""
        tool = self._tool(call.name, troubles)
        arguments = self._arguments(tool, call.arguments, finish_reason, troubles)
        if (copied := tool.copied(arguments)) is not None:
            # A small model may hand an example back as it stands: its numbers would enter the lab's record as facts.
            troubles.append(Trouble.COPIED_EXAMPLE)
            raise ToolRefusal(
                f"`{copied}` of {tool.name} is the sentence of the example, which only shows the form. Write what is"
                " true of this job, in your own words."
            )
        try:
            answer = await tool.handler(arguments)
        except ToolRefusal as refusal:
            troubles.append(Trouble.REFUSED)
            raise ToolRefusal(self._if_again(tool, arguments, str(refusal), troubles), refusal.then) from None
        text = answer.text if tool.name == "read_more" else self.pages.first(answer.text, self._page(tool))
        if not answer.finished:
            text = self._if_again(tool, arguments, text, troubles)
            self.work.append(f"- {tool.name} {_clip(json.dumps(arguments), 100)}: {_clip(answer.text, 100)}")
            del self.work[:-MOST_WORK]
        return Done(tool, arguments, Answer(text, answer.finished))

    def named(self, name: str) -> Tool | None:
        """The tool of this name, or the one that it clearly means."""
        for same in (str, _bare):
            meant = [tool for tool in self.offered if same(tool.name) == same(name)]
            if len(meant) == 1:
                return meant[0]
        return None

    def _tool(self, name: str, troubles: list[Trouble]) -> Tool:
        tool = self.named(name)
        if tool is not None:
            troubles.extend([Trouble.MENDED_NAME] * (tool.name != name))
            return tool
        troubles.append(Trouble.UNKNOWN_TOOL)
        names = [tool.name for tool in self.offered]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ToolRefusal(f"There is no tool {name[:60]!r}.{hint} The tools are: {', '.join(names)}.")

    def _arguments(self, tool: Tool, text: str, finish_reason: str, troubles: list[Trouble]) -> dict[str, Any]:
        try:
            given, mended = object_of(text, finish_reason != "length")
        except ValueError as error:
            troubles.append(Trouble.BROKEN_JSON)
            cut = " The reply was cut at its length limit: write less at once." if finish_reason == "length" else ""
            raise ToolRefusal(f"The arguments of {tool.name} are {error}.{cut} {tool.usage}") from None
        if mended:
            troubles.append(Trouble.MENDED_JSON)
        try:
            try:
                return tool.check(given)
            except WrongArguments:
                if (inner := _unwrapped(given, tool)) is None:
                    raise
                checked = tool.check(inner)
                troubles.append(Trouble.MENDED_ARGUMENTS)
                return checked
        except WrongArguments as wrong:
            troubles.append(Trouble.WRONG_ARGUMENTS)
            raise WrongArguments(f"{wrong} {tool.usage}") from None

    def _if_again(self, tool: Tool, arguments: dict[str, Any], text: str, troubles: list[Trouble]) -> str:
        """The answer, with a word on it when the same call has had the same answer before."""
        key = (tool.name, json.dumps(arguments, sort_keys=True), text)
        self.same[key] += 1
        if (times := self.same[key]) < 3:
            return text
        troubles.append(Trouble.SAME_CALL)
        return (
            f"{text}\n[You have made this very call {times} times, and its answer is always the same. Use what it"
            " says, and do the next thing of the job, or end it.]"
        )

    def finishes(self, name: str) -> bool:
        """Whether a call of this name ends the job, as the name is meant."""
        return any(_bare(name) == _bare(tool.name) for tool in self.tools if tool.name in FINISHING)

    @property
    def goes_round(self) -> bool:
        """Whether one call was answered alike so often that this context leads nowhere."""
        return any(times >= self.limits.same_calls for times in self.same.values())

    def _page(self, tool: Tool) -> int:
        """The characters of a page. An answer in JSON stays whole as long as it fits half the window."""
        most = self.limits.answer_characters
        window = self.window_characters
        if tool.parameters.whole:
            return window // 2 if window else 2**60
        return min(most, window // 4) if window else most


def _bare(name: str) -> str:
    """A name without what templates and habits put around it: `functions.read_file`, `ReadFile`, `read-file`."""
    last = re.split(r"<\||[.:/]", re.sub(r"^(functions?|tools?)[.:/]", "", name.strip()))[0]
    return re.sub(r"[^a-z0-9]", "", last.lower())


def _unwrapped(given: dict[str, Any], tool: Tool) -> dict[str, Any] | None:
    """The arguments inside an object that was put around them."""
    for key in _WRAPPERS:
        if key in given and key not in tool.parameters.model_fields and set(given) <= {key, "name", "tool"}:
            inner = given[key]
            if isinstance(inner, str):
                try:
                    inner, _ = object_of(inner)
                except ValueError:
                    return None
            return inner if isinstance(inner, dict) else None
    return None


def _clip(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[:most]}..."
