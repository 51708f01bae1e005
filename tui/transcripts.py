"""An agent's turns as rows, and one turn as a text to read, its tools folded or not. Pure functions."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import cycle

from rich.style import Style
from rich.text import Text

from orchestrator.columns import Column
from orchestrator.runs.log_text import inert
from orchestrator.store.agents import AgentRow
from orchestrator.store.calls import Account, Turn
from tui.present import Cell, amount, plain
from tui.speakers import AGENT_SYMBOLS, AGENT_TONES
from tui.tones import Line, Said, Tone, fit

TURN_COLUMNS = (
    Column("UTC", 8),
    Column("", 1),
    Column("outcome", 9, rank=2),
    Column("job", 16, share=3, most=44, rank=3, above=70),
    Column("calls", 14, share=3, most=40),
    Column("says", 14, share=4, rank=4, above=100),
    Column("in", 6, right=True),
    Column("out", 6, right=True),
    Column("money", 7, right=True, rank=1),
    Column("s", 5, right=True, rank=5),
)
LIVE = "live"
"""The key of the row that shows what is being said now."""

SYMBOLS = {"finished": "✓", "went on": "·", "refused": "#", "no call": "?", "failed": "!", "cancelled": "×", "cut": "~"}  # noqa: RUF001
TONES = {
    "finished": Tone.GOOD,
    "refused": Tone.WARN,
    "no call": Tone.WARN,
    "cut": Tone.WARN,
    "failed": Tone.BAD,
    "cancelled": Tone.DIM,
    "went on": Tone.DIM,
}
MOST_CHARACTERS = 400  # of a folded call
_CALLED = re.compile(r"^(\d\d:\d\d:\d\d) (->|<-) (.*)$")


def money(value: float) -> str:
    return "" if not value else f"{value:.4f}" if value < 1 else f"{value:.2f}"


def turn_cells(turn: Turn) -> tuple[Cell, ...]:
    names = [name for name, _ in turn.tools]
    about = "~" if turn.estimated else ""
    return (
        Said(turn.at[11:19], Tone.DIM),
        Said(SYMBOLS.get(turn.outcome, " "), TONES.get(turn.outcome, Tone.PLAIN)),
        Said(turn.outcome, TONES.get(turn.outcome, Tone.PLAIN)),
        Said(plain(turn.job), Tone.DIM),
        Said(", ".join(names), Tone.LIVE),
        Said(plain(turn.reply)),
        Said(about + amount(turn.tokens_in), Tone.DIM),
        Said(about + amount(turn.tokens_out), Tone.DIM),
        Said(money(turn.money), Tone.DIM),
        Said(f"{turn.seconds:.1f}", Tone.DIM),
    )


def live_cells(agent: AgentRow | None) -> tuple[Cell, ...]:
    """The row of what is not over yet."""
    nothing = Said("")
    if agent is None:
        return (Said("now", Tone.DIM), nothing, Said("gone", Tone.DIM), *[nothing] * 7)
    tone = AGENT_TONES.get(agent.state, Tone.PLAIN)
    return (
        Said("now", Tone.STRONG),
        Said(AGENT_SYMBOLS.get(agent.state, " "), tone),
        Said(agent.state, tone),
        Said(plain(agent.job), Tone.DIM),
        *[nothing] * 6,
    )


def heading(name: str, agent: AgentRow | None, account: Account, outcome: str, width: int) -> Line:
    """Who it is, and what its turns have taken in all."""
    tokens = f"{amount(account.tokens_in)} tokens in, {amount(account.tokens_out)} out"
    paid = f", {money(account.money)} of money" if account.money else ""
    shown = f"  only {outcome}: {account.outcomes.get(outcome, 0)} of" if outcome else " "
    words = f"{shown} {account.turns:,} turns  {tokens}{paid}"
    model = f"{name}  {agent.model}" if agent is not None else name
    room = width - len(words)
    return [Said(fit(model, room) if len(model) > room else model, Tone.STRONG), Said(words, Tone.DIM)]


def next_outcome(account: Account, outcome: str) -> str:
    """The outcome after this one among those that there are; after the last one all of them ("")."""
    known = ["", *account.outcomes]
    turning = cycle(known)
    for one in turning:
        if one == outcome or outcome not in known:
            return next(turning)
    return ""


def turn_lines(
    turn: Turn, colours: dict[str, str], *, unfolded: bool, answers: Sequence[str | None] = ()
) -> list[Text]:
    """One turn: what it took, what was said, and its calls, with what came back where that is known."""
    dim = Style(color=colours["dim"])
    first = "" if turn.first_token_seconds is None else f", first word after {turn.first_token_seconds:.1f} s"
    about = "about " if turn.estimated else ""
    facts = (
        f"{turn.at[:10]} {turn.at[11:19]}  turn {turn.id}  {turn.outcome}"
        f"  {about}{turn.tokens_in:,} tokens in, {turn.tokens_out:,} out"
        + (f", {money(turn.money)} of money" if turn.money else "")
        + f"  {turn.seconds:.1f} s{first}"
    )
    lines = [Text(facts, dim)]
    if turn.job:
        lines.append(Text(plain(turn.job), Style(color=colours["strong"], bold=True)))
    ended = f"; ended by {turn.finish_reason}" if turn.finish_reason not in ("", "stop", "tool_calls") else ""
    lines.append(Text(f"{turn.model}{ended}", dim))
    if turn.troubles:
        lines.append(Text("trouble: " + ", ".join(one.replace("_", " ") for one in turn.troubles), colours["warn"]))
    lines += [Text(""), *[Text(line) for line in inert(turn.reply).splitlines()]]
    if turn.tools:
        lines.append(Text(""))
    for number, (name, arguments) in enumerate(turn.tools):
        answer = answers[number] if number < len(answers) else None
        lines += _call(name, arguments, answer, unfolded, colours)
    return lines


def _call(name: str, arguments: str, answer: str | None, unfolded: bool, colours: dict[str, str]) -> list[Text]:
    sign = "▾" if unfolded else "▸"
    head = Text.assemble((f"{sign} ", colours["dim"]), (name, colours["live"]))
    if not unfolded:
        said = plain(arguments)
        head.append(f" {said[:MOST_CHARACTERS]}{'…' if len(said) > MOST_CHARACTERS else ''}", colours["dim"])
        return [head]
    lines = [head, *[Text(f"    {line}") for line in inert(pretty(arguments)).splitlines()]]
    came = "what came back is no longer in the agent's log" if answer is None else answer
    return [*lines, Text(f"  ← {came}", colours["dim"]), Text("")]


def pretty(arguments: str) -> str:
    """A call's arguments a key a line; texts of several lines as they are."""
    try:
        given = json.loads(arguments)
    except ValueError:
        return arguments
    if not isinstance(given, dict):
        return arguments
    said = []
    for key, value in given.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        said.append(
            f"{key}: {text}" if "\n" not in text else "\n".join([f"{key}:", *map("  {}".format, text.split("\n"))])
        )
    return "\n".join(said)


def answers_in(log: Sequence[str], turn: Turn) -> list[str | None]:
    """What came back from the calls of a turn, as far as the agent's log has it (orchestrator.team.journal).

    A call is found by its words, at the last place that is not later than the turn.
    """
    called = [(found.group(1), found.group(2), found.group(3)) for line in log if (found := _CALLED.match(line))]
    ends = turn.at[11:19]
    answers: list[str | None] = []
    at = len(called)
    for name, arguments in reversed(turn.tools):
        wanted = f"{name} {' '.join(arguments.split())[:MOST_CHARACTERS]}".rstrip()
        place = next(
            (
                n
                for n in range(at - 1, -1, -1)
                if called[n][1] == "->" and called[n][0] <= ends and called[n][2].startswith(wanted)
            ),
            None,
        )
        if place is None:
            answers.append(None)
            continue
        at = place
        after = called[place + 1] if place + 1 < len(called) else None
        answers.append(after[2] if after is not None and after[1] == "<-" else None)
    return answers[::-1]


def since(log: Sequence[str], at: str) -> list[str]:
    """The lines of a log that were written after the second of `at` (UTC, ISO 8601); all of them for ""."""
    time = at[11:19]
    for place, line in enumerate(log):
        if line[:8] > time and line[2:3] == ":":
            return list(log[place:])
    return [] if at else list(log)
