"""What a model is told that ended its turn without a call: what is missing, how the job ends, and one example."""

from __future__ import annotations

import re
from collections.abc import Sequence

from roles.chat import Reply
from roles.record import Trouble
from roles.text_calls import calls_in, fenced
from roles.thoughts import spoken
from roles.tools import FINISHING, Tool

_WHY = {
    Trouble.NO_CALL: "your reply called no tool",
    Trouble.EMPTY: "your reply was empty",
    Trouble.ONLY_THINKING: "your reply held only thinking; think in a few sentences, close the thought, then call",
    Trouble.CUT: "your reply was cut at its length limit before it called a tool; think less and write less",
    Trouble.CALL_IN_PROSE: "your reply wrote a tool call as text, which does nothing; make it as a real tool call",
    Trouble.REPETITION: "your reply repeated itself without end and was stopped; write no more than a sentence",
}


def trouble_of(reply: Reply, names: Sequence[str]) -> Trouble:
    """Why a reply without a call holds none."""
    text = spoken(reply.text).strip()
    if reply.finish_reason == "repetition":
        return Trouble.REPETITION
    if reply.finish_reason == "length":
        return Trouble.CUT
    if not text:
        return Trouble.ONLY_THINKING if reply.thought or reply.text.strip() else Trouble.EMPTY
    return Trouble.CALL_IN_PROSE if calls_in_prose(reply, names) else Trouble.NO_CALL


def calls_in_prose(reply: Reply, names: Sequence[str]) -> bool:
    """Whether the text holds a call, or what was meant as one."""
    text = spoken(reply.text)
    listed = "|".join(re.escape(name) for name in names)
    loose = re.search(rf'<tool_call|\b({listed})\(|"name"\s*:\s*"({listed})"', text)
    return loose is not None or bool(calls_in(text, names)[1])


def nudge(trouble: Trouble, tools: Sequence[Tool], as_text: bool, tried: int) -> str:
    """The nudge; `tried` nudges came before it in a row, and each says more plainly what to write."""
    ending = [tool for tool in tools if tool.name in FINISHING]
    others = [tool for tool in tools if tool.name not in FINISHING]
    example = ending[0]
    why = _WHY[trouble]
    if as_text and trouble is Trouble.CALL_IN_PROSE:
        why = "your reply holds a call that cannot be read"
    told = (
        f"The job is not finished: {why}. Do not stop and do not ask: nobody reads your text but through"
        f" tools. Do what is left of the job now with {_listed(others)}, and end it with"
        f" {' or '.join(f'`{tool.name}`' for tool in ending)}; nothing else ends it. {example.usage}"
    )
    if as_text:
        shown = (others or ending)[0] if tried % 2 == 0 else example
        told += f"\nWrite the call exactly so:\n{fenced(shown.name, shown.parameters.example)}"
    elif tried:
        told += f" Answer with a tool call and without any other text, for example {(others or ending)[0].name}."
    return told


def _listed(tools: Sequence[Tool]) -> str:
    return ", ".join(f"`{tool.name}`" for tool in tools) or "the tools"
