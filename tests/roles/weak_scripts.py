"""Scripts for the scripted server: the right replies of a worker's job, and pieces of wrong ones.

`right` makes the next right reply from what the request shows to be done, natively or in text, so that a script need
only say when it does something else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.roles.openai_server import (
    DONE,
    Request,
    Scripted,
    call_pieces,
    calls,
    chunk,
    fails,
    says,
    usage_chunk,
)

MARK = "ACTIVATION = 'gelu'"
FILE = f"# a training script\n{MARK}\n"
CHANGED = "train.py is changed."
READ = ("read_file", {"path": "train.py"})
EDIT = ("edit_file", {"path": "train.py", "old": MARK, "new": "ACTIVATION = 'relu'"})
SUBMIT = ("submit_patch", {"summary": "relu instead of gelu"})

Script = Callable[[Request, int], Scripted | None]
"""Gets the request and its number, from 0; None means the right reply."""
Turn = Callable[[Request], list[tuple[str, dict[str, Any]]]]


def step(request: Request) -> tuple[str, dict[str, Any]]:
    """The call that is due, by what the conversation shows."""
    return turn(request)[0]


def turn(request: Request) -> list[tuple[str, dict[str, Any]]]:
    """All calls that might be made at once now."""
    return _turns[-1](request)


@contextmanager
def turns_by(rule: Turn) -> Iterator[None]:
    """Meanwhile another rule says what is due: the scripts misbehave in another job."""
    _turns.append(rule)
    try:
        yield
    finally:
        _turns.pop()


def _workers_turn(request: Request) -> list[tuple[str, dict[str, Any]]]:
    shown = "\n".join(str(message["content"]) for message in request.body["messages"][1:])
    if CHANGED in shown:
        return [SUBMIT]
    return [EDIT, SUBMIT] if MARK in shown else [READ, EDIT, SUBMIT]


_turns: list[Turn] = [_workers_turn]


def in_text(name: str, arguments: dict[str, Any]) -> str:
    return f"```tool\n{json.dumps({'tool': name, 'arguments': arguments})}\n```"


def right(request: Request) -> Scripted:
    """The right reply, in whichever way the request allows."""
    wanted = step(request)
    return calls(wanted) if "tools" in request.body else says(in_text(*wanted))


def at(numbers: set[int], make: Callable[[Request], Scripted]) -> Script:
    """Misbehave at these requests only."""
    return lambda request, number: make(request) if number in numbers else None


def always(make: Callable[[Request], Scripted]) -> Script:
    return lambda request, _: make(request)


def arguments(text: str, finish: str = "tool_calls", name: str = "") -> Callable[[Request], Scripted]:
    """A call of the due tool with these arguments; ARGS stands for the right ones."""

    def make(request: Request) -> Scripted:
        due, given = step(request)
        written = text.replace("ARGS", json.dumps(given))
        return Scripted([*call_pieces(0, name or due, written), chunk({}, finish), usage_chunk(), DONE])

    return make


def due_as(write: Callable[[str, dict[str, Any]], str]) -> Callable[[Request], Scripted]:
    """The due call, written into the text in some way."""
    return lambda request: says(write(*step(request)))


def python_call(name: str, given: dict[str, Any]) -> str:
    return f"I do it: {name}({', '.join(f'{key}={value!r}' for key, value in given.items())})"


def hermes(name: str, given: dict[str, Any]) -> str:
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': given})}\n</tool_call>"


def thought(text: str) -> Scripted:
    return Scripted([chunk({"reasoning_content": text}), chunk({}, "stop"), usage_chunk(), DONE])


def without_tools(request: Request) -> Scripted:
    if "tools" in request.body:
        return fails(400, "this model does not support tools")
    return right(request)


def blind(request: Request) -> Scripted:
    """A model behind a server that takes the tools and leaves them out of the prompt: it chats."""
    return counting()(request) if "tools" in request.body else right(request)


def held_only(request: Request) -> Scripted:
    """A model that calls only where it is held to it: natively, else by a schema."""
    if "tools" in request.body:
        return right(request) if request.body.get("tool_choice") == "required" else counting()(request)
    return by_schema(request)


def held_by_schema(form: str) -> Callable[[Request], Scripted]:
    """The same on a server without tools that knows this form of a schema only."""

    def make(request: Request) -> Scripted:
        if "tools" in request.body:
            return fails(400, "this model does not support tools")
        held = request.body.get("response_format", {}).get("type")
        if held not in (None, form):
            return fails(422, f"body.response_format.type: input should be 'text' or '{form}'")
        return by_schema(request)

    return make


def by_schema(request: Request) -> Scripted:
    if "response_format" not in request.body:
        return counting()(request)
    name, given = step(request)
    return says(json.dumps({"tool": name, "arguments": given}))


def going_round(request: Request) -> Scripted:
    """A model without tools that reads on and on, unless a schema leaves it something else only."""
    if "tools" in request.body:
        return fails(400, "this model does not support tools")
    held = json.dumps(request.body.get("response_format", {}))
    if not held.count('"enum"') or '"read_file"' in held:
        return says(in_text(*READ))
    return by_schema(request)


def never_held(request: Request, number: int) -> Scripted | None:
    if "tool_choice" in request.body:
        return fails(400, "tool_choice 'required' is not supported")
    return counting()(request) if number in (0, 3) else None


def prose_only(request: Request) -> Scripted:
    """A model that writes its calls as Hermes does, whatever it is offered."""
    return says(hermes(*step(request)))


def small_window(request: Request, number: int) -> Scripted | None:
    if number < 12:  # reads on and on, each time another part
        if len(json.dumps(request.body["messages"])) > 6000:
            return fails(400, "This model's maximum context length is 2500 tokens. However, you requested 3000 tokens")
        return calls(("read_file", {"path": "train.py", "start": number + 1, "lines": 40}))
    return None


def alternating(request: Request, number: int) -> Scripted | None:
    if "begun before" in request.body["messages"][1]["content"]:
        return None
    return calls(READ if number % 2 else ("read_file", {"path": "other.py"}))


def counting() -> Callable[[Request], Scripted]:
    """Prose that never repeats and never calls."""
    return lambda request: says(f"I have thought about it {len(request.body['messages'])} times and am done.")


def no_id_no_index(request: Request) -> Scripted:
    name, given = step(request)
    one = {"type": "function", "function": {"name": name, "arguments": given}}
    return Scripted([chunk({"tool_calls": [one]}, "tool_calls"), DONE])


def numbered_zero(request: Request) -> Scripted:
    pieces = [
        piece
        for number, (name, given) in enumerate(turn(request))
        for piece in call_pieces(0, name, json.dumps(given), f"call-{len(request.body['messages'])}-{number}")
    ]
    return Scripted([*pieces, chunk({}, "tool_calls"), usage_chunk(), DONE])


def cut_call(request: Request) -> Scripted:
    name, given = step(request)
    return Scripted([*call_pieces(0, name, json.dumps(given)[:-9]), chunk({}, "length"), usage_chunk(), DONE])


def dropped(request: Request) -> Scripted:
    return Scripted(call_pieces(0, READ[0], json.dumps(READ[1]))[:2], end="drop")
