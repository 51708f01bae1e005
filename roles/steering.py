"""What the next reply is held to: a call at all, another call than those in vain, or one that moves the job on.

A model that calls by itself and gets on is left alone. One that ends its turns, goes round, only looks, or is told what
is missing has its next reply held to what helps, as far as its server can (`roles.holding`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from roles.chat import ToolSpec
from roles.errors import NOTHING_NEXT, Choices, ToolRefusal
from roles.tools import FINISHING, Tool, narrowed

IN_VAIN = 3
"""Replies in a row that called one tool and were refused, or looked at the very same: the next is held to others."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A call as it was answered; `tool` is None where there is none of that name, `refusal` where it was accepted."""

    name: str
    tool: Tool | None
    refusal: ToolRefusal | None = None
    arguments: str = ""  # as the model wrote them


@dataclass(slots=True)
class Steering:
    """What one context has shown of how its model gets on."""

    looks: int  # replies in a row that may only look
    looked: int = 0  # how many did
    wanted: Mapping[str, Choices] = field(default_factory=dict)  # of which the job needs one next
    exhausted: set[str] = field(default_factory=set)  # tools that have given one answer again and again
    repeated: set[str] = field(default_factory=set)  # these, and those that the last reply called in vain as before
    vain: tuple[str, int] = ("", 0)  # the tool that alone was called and refused, and in how many replies
    stares: tuple[Answered | None, int] = (None, 0)  # the call that looked at the same, and in how many replies

    def take(self, answered: Sequence[Answered], again: bool) -> str:
        """A reply's calls were answered, one as often before (`again`). What the model is to be told of it, or ""."""
        if not answered:  # a reply without a call: what was wanted still is
            self.repeated = set(self.exhausted)
            return ""
        names = {one.name for one in answered}
        carried_out = any(one.refusal is None for one in answered)
        self.exhausted |= names if again and carried_out else set()
        self.repeated = self.exhausted | (names if again else set())
        self.vain = self._in_vain(names) if not carried_out else ("", 0)
        self.wanted = next((one.refusal.then for one in answered if one.refusal and self._presses(one)), NOTHING_NEXT)
        self.stares = self._stares(answered)
        if all(one.tool is None or one.tool.parameters.looks for one in answered):
            self.looked += 1
        else:  # a refusal may have to be looked into
            self.looked = 0 if carried_out else min(self.looked, self.looks // 2)
            return ""
        if self.looked < self.looks or self.looked % self.looks:
            return ""
        return f"[You have only looked for {self.looked} replies. Now do what the job is for, with what you know.]"

    def _in_vain(self, names: set[str]) -> tuple[str, int]:
        """How long the tool of a refused reply has been refused, where it is the only one."""
        if len(names) > 1:
            return "", 0
        (name,) = names
        return name, 1 + (self.vain[1] if self.vain[0] == name else 0)

    def _stares(self, answered: Sequence[Answered]) -> tuple[Answered | None, int]:
        """How long one call has looked at the same; its answer may be another text, as a page of a long one is."""
        first = answered[0]
        if len(answered) > 1 or first.refusal is not None or first.tool is None or not first.tool.parameters.looks:
            return None, 0
        last, times = self.stares
        same = last is not None and (last.name, last.arguments) == (first.name, first.arguments)
        return first, times + 1 if same else 1

    def _presses(self, refused: Answered) -> bool:
        """Whether what a refusal asks for is asked of the next reply: it was the job's end, or came before."""
        assert refused.refusal is not None
        ending = refused.tool is not None and refused.tool.name in FINISHING
        return bool(refused.refusal.then) and (ending or self.vain[1] > 1)

    def held_to(self, offered: Sequence[Tool], nudged: bool) -> list[ToolSpec]:
        """The tools of which the next reply has to call one; none while the model is left alone. `nudged`: it ended its
        turns without a call."""
        at_hand = [tool.spec for tool in offered]
        wanted = [narrowed(spec, self.wanted[spec.name]) for spec in at_hand if spec.name in self.wanted]
        if not wanted and self.looked >= self.looks:
            wanted = [tool.spec for tool in offered if not tool.parameters.looks]
        in_vain = self.repeated | ({self.vain[0]} if self.vain[1] >= IN_VAIN else set())
        if self.stares[0] is not None and self.stares[1] >= IN_VAIN:
            in_vain = in_vain | {self.stares[0].name}
        in_vain -= {name for name, choices in self.wanted.items() if choices}  # with these it is another call
        if not (wanted or nudged or in_vain):
            return []
        for specs in (wanted, at_hand):
            if helpful := [spec for spec in specs if spec.name not in in_vain]:
                return helpful
        return at_hand
