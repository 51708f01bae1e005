"""`:` commands: the same words as the command line, turned into what the room does."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.actions import BY_VERB, Action, Kind
from orchestrator.errors import LabError, UsageError
from orchestrator.given import experiment_number, is_digits, priority, told
from orchestrator.store.filters import understood

ON_THE_COMMAND_LINE = ("init", "run", "trackio")
"""Verbs that need a terminal to themselves, or a lab that is not there yet."""


PLACES = {
    "id": " ID",
    "id or agent?": " [ID | AGENT]",
    "id value": " ID N",
    "id base": " ID BASE",
    "text": " AGENT TEXT",
    "key value": " KEY VALUE",
    "paper": " [ID]",
}
"""What follows a verb, for what its action takes."""


def usage(action: Action) -> str:
    """`:verb ID ...`; empty for what has no verb."""
    return "" if action.verb is None else f":{action.verb}{PLACES.get(action.takes, '')}"


def usage_of(line: str) -> str:
    """How the command that a line begins with is written, and what it does; empty where it begins with none."""
    action = BY_VERB.get(line.split(" ")[0])
    return "" if action is None else f"{usage(action)}  {action.help}"


class NotUnderstood(Exception):
    """One sentence for the person at the keyboard."""


@dataclass(frozen=True, slots=True)
class Order:
    """A command that was understood: the action and its arguments."""

    action: Action
    arguments: dict[str, Any]


def understand(text: str, selected: int | None, marked: Sequence[int] = ()) -> Order:
    """Read `verb [ID] ...`; a missing ID means the marked experiments, else the selected one. Raises NotUnderstood."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise NotUnderstood(f"The quotes do not match ({error}).") from error
    if not words:
        raise NotUnderstood("Type a command, for example `kill 12`; `?` lists them.")
    verb, *rest = words
    action = BY_VERB.get(verb)
    if action is None:
        near = difflib.get_close_matches(verb, BY_VERB, n=1)
        hint = f" Did you mean `{near[0]}`?" if near else " `?` lists them."
        raise NotUnderstood(f"There is no command `{verb}`.{hint}")
    if verb in ON_THE_COMMAND_LINE:
        raise NotUnderstood(f"`{verb}` works on the command line only: `autolab {verb}`.")
    if marked and action.kind is Kind.COMMAND and len(rest) == {"id": 0, "id value": 1}.get(action.takes):
        value = {"value": _priority(rest[0])} if rest else {}
        return Order(action, marked_arguments(action, marked) | value)
    arguments = _arguments(action, rest, selected)
    if "words" in arguments:
        arguments["raw"] = text.strip().partition(" ")[2].strip()  # a filter has quotes of its own
    return Order(action, arguments)


def not_understood(text: str, selected: int | None, marked: Sequence[int] = ()) -> str | None:
    """What is the matter with a line; None when it is understood."""
    try:
        order = understand(text, selected, marked)
        if order.action.name in ("results", "queue") and order.arguments["words"][:1] != ["sort"]:
            understood(order.arguments["raw"])
    except (NotUnderstood, LabError) as error:
        return str(error)
    return None


def marked_arguments(action: Action, marked: Sequence[int]) -> dict[str, Any]:
    """`id` for one marked experiment, `ids` for several. Raises NotUnderstood where it takes one at a time."""
    if len(marked) == 1:
        return {"id": marked[0]}
    if action.several is None:
        words = action.verb or action.name.replace("_", " ")
        raise NotUnderstood(f"{words.capitalize()} takes one experiment and {len(marked)} are marked: esc clears them.")
    return {"ids": list(marked)}


MOST_WORDS = {"id": 1, "id or agent?": 1}
"""After the verb. What is beyond would be dropped, and something else done than what was typed."""


def _arguments(action: Action, rest: list[str], selected: int | None) -> dict[str, Any]:
    most = MOST_WORDS.get(action.takes)
    if most is not None and len(rest) > most:
        one = "one experiment or agent" if "agent" in action.takes else "one experiment"
        sentence = f"`{action.verb}` takes {one}, and `{' '.join(rest[most:])}` is more."
        raise NotUnderstood(sentence if action.several is None else f"{sentence} Mark several with space.")
    match action.takes:
        case "id":
            return {"id": _number(rest[0] if rest else None, selected, action)}
        case "id or agent?":
            if not rest:
                return {}
            return {"id": _number(rest[0], None, action)} if is_digits(rest[0]) else {"agent": rest[0]}
        case "id value":
            if len(rest) == 1:
                rest = [str(_number(None, selected, action)), *rest]
            if len(rest) != 2:
                raise NotUnderstood(f"`{action.verb}` takes an experiment and a number.")
            return {"id": _number(rest[0], None, action), "value": _priority(rest[1])}
        case "id base":
            if len(rest) == 1 and rest[0].isdecimal():
                raise NotUnderstood(
                    f"`{action.verb} {rest[0]}` says no branch that it is put on: `pick {rest[0]} BRANCH`."
                )
            if len(rest) == 1:
                rest = [str(_number(None, selected, action)), *rest]
            if len(rest) != 2:
                raise NotUnderstood(f"`{action.verb}` takes an experiment and the branch that it is put on.")
            return {"id": _number(rest[0], None, action), "onto": rest[1]}
        case "key value":
            if len(rest) < 2:
                raise NotUnderstood(f"`{action.verb}` takes a setting and its value; `settings` lists them.")
            return {"key": rest[0], "value": " ".join(rest[1:])}
        case "text":
            if len(rest) < 2:
                raise NotUnderstood(f"`{action.verb}` takes an agent and what to say.")
            return {"agent": rest[0], "text": " ".join(rest[1:])}
        case _:
            return {"words": rest}


def _number(word: str | None, selected: int | None, action: Action) -> int:
    if word is not None:
        try:
            return experiment_number(word)
        except UsageError:
            raise NotUnderstood(f"`{told(word)}` is no number.") from None
        except LabError as error:
            raise NotUnderstood(str(error)) from None
    if selected is None:
        raise NotUnderstood(f"`{action.verb}` takes the number of an experiment.")
    return selected


def _priority(word: str) -> int:
    try:
        return priority(word)
    except UsageError as error:
        raise NotUnderstood(str(error)) from None
