"""Named misbehaviours of models and endpoints, for the scripted server, and what must come of each.

The job is a worker's: read train.py, change it, submit.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

from tests.roles.openai_server import Scripted, call_pieces, calls, chunk, event, fails, says, text_pieces
from tests.roles.weak_scripts import (
    READ,
    SUBMIT,
    Script,
    alternating,
    always,
    arguments,
    at,
    blind,
    counting,
    cut_call,
    dropped,
    due_as,
    going_round,
    held_by_schema,
    held_only,
    hermes,
    in_text,
    never_held,
    no_id_no_index,
    numbered_zero,
    prose_only,
    python_call,
    small_window,
    step,
    thought,
    without_tools,
)


@dataclass(frozen=True)
class Misbehaviour:
    """A script and what must come of it.

    `requests` is the most that the job may take; `ends` the piece of the reason when it must end without a patch, empty
    when it must be finished; `counted` are the troubles that must be counted; `settings` are the model's.
    """

    script: Script
    requests: int
    counted: frozenset[str] = frozenset()
    ends: str = ""
    settings: tuple[tuple[str, Any], ...] = ()


def one(*troubles: str) -> frozenset[str]:
    return frozenset(troubles)


WRONG_EDIT = ("edit_file", {"path": "train.py", "old": "not in the file", "new": "x"})
HTML = Scripted([b"<html><body>Bad gateway</body></html>"], headers={"Content-Type": "text/html"})

MISBEHAVIOURS: dict[str, Misbehaviour] = {
    # -- replies without a call
    "stops after one sentence": Misbehaviour(at({0}, lambda _: says("I will read it.")), 4, one("no_call")),
    "stops three times in a row": Misbehaviour(at({0, 1, 2}, counting()), 6, one("no_call")),
    "stops after every call": Misbehaviour(at({1, 3, 5}, counting()), 7, one("no_call")),
    "asks the person": Misbehaviour(at({1}, lambda _: says("Shall I go on?")), 4, one("no_call")),
    "stops until its context is fresh": Misbehaviour(at({0, 1, 2, 3}, counting()), 7, one("fresh_context")),
    "says nothing": Misbehaviour(at({0, 2}, lambda _: says("")), 5, one("empty")),
    "says nothing but spaces": Misbehaviour(at({0}, lambda _: says("  \n ")), 4, one("empty")),
    "only thinks, apart": Misbehaviour(at({0}, lambda _: thought("Hm, hm.")), 4, one("only_thinking")),
    "never ends its thought": Misbehaviour(at({0}, lambda _: says("<think>Let me see")), 4, one("only_thinking")),
    "drafts a call in its thought": Misbehaviour(
        at({0}, lambda _: says(f"<think>{hermes(*SUBMIT)}</think>Well.")), 4, one("no_call")
    ),
    "calls only when it is held to it": Misbehaviour(always(held_only), 5, one("no_call")),
    "calls only when a schema holds it": Misbehaviour(
        always(held_by_schema("json_schema")), 6, one("no_call", "tools_refused")
    ),
    "calls only when another form of schema holds it": Misbehaviour(
        always(held_by_schema("json_object")), 7, one("no_call", "tools_refused")
    ),
    "cannot be held to a call": Misbehaviour(never_held, 6, one("no_call")),
    "never calls anything": Misbehaviour(always(counting()), 8, one("no_call"), "without calling a tool (in 2 cont"),
    # -- calls in prose
    "writes Hermes calls as text": Misbehaviour(always(prose_only), 5, one("call_in_prose")),
    "writes calls as Python": Misbehaviour(always(due_as(python_call)), 5, one("call_in_prose")),
    "writes calls in JSON blocks": Misbehaviour(
        always(due_as(lambda name, given: f"```json\n{json.dumps({'name': name, 'arguments': given})}\n```")),
        5,
        one("call_in_prose"),
    ),
    "writes calls as bare JSON": Misbehaviour(
        always(due_as(lambda name, given: json.dumps({"name": name, "parameters": given}))), 5, one("call_in_prose")
    ),
    "writes function tags": Misbehaviour(
        always(due_as(lambda name, given: f"<function={name}>{json.dumps(given)}</function>")),
        5,
        one("call_in_prose"),
    ),
    "is served without tools": Misbehaviour(always(without_tools), 5, one("tools_refused")),
    "is never shown its tools": Misbehaviour(always(blind), 7, one("tools_unseen", "fresh_context")),
    "is served without tools and breaks its JSON": Misbehaviour(
        lambda request, number: (
            says('```tool\n{"tool": "read_file", "arguments": {"path": \n```')
            if number == 1
            else without_tools(request)
        ),
        6,
        one("tools_refused", "broken_json"),
    ),
    "makes up the answers": Misbehaviour(
        lambda request, _: (
            without_tools(request)
            if "tools" in request.body
            else says(
                f"{in_text(*step(request))}\n\n[answer of it]\nAll is well.\n\n"
                + in_text("give_up", {"reason": "done"})
            )
        ),
        5,
        one("tools_refused"),
    ),
    # -- broken calls
    "leaves a comma before the bracket": Misbehaviour(
        at({0}, arguments('{"path": "train.py",}')), 3, one("mended_json")
    ),
    "writes Python instead of JSON": Misbehaviour(at({0}, arguments("{'path': 'train.py'}")), 3, one("mended_json")),
    "forgets the last bracket": Misbehaviour(at({0}, arguments('{"path": "train.py"')), 3, one("mended_json")),
    "closes one bracket too many": Misbehaviour(at({0}, arguments("ARGS}")), 3, one("mended_json")),
    "fences its arguments": Misbehaviour(at({0}, arguments("```json\nARGS\n```")), 3, one("mended_json")),
    "leaks its template": Misbehaviour(at({0}, arguments("ARGS<|im_end|>")), 3, one("mended_json")),
    "writes an object as a string": Misbehaviour(at({0}, arguments('"{\\"path\\": \\"train.py\\"}"')), 3),
    "wraps its arguments": Misbehaviour(at({0}, arguments('{"arguments": ARGS}')), 3, one("mended_arguments")),
    "never closes a string": Misbehaviour(at({0}, arguments('{"path": "train.py')), 4, one("broken_json")),
    "writes prose as arguments": Misbehaviour(at({0}, arguments("the file train.py")), 4, one("broken_json")),
    "gives a wrong type": Misbehaviour(
        at({0}, arguments('{"path": "train.py", "lines": "all"}')), 4, one("wrong_arguments")
    ),
    "forgets an argument": Misbehaviour(at({0}, arguments("{}")), 4, one("wrong_arguments")),
    "misspells an argument": Misbehaviour(at({0}, arguments('{"pth": "train.py"}')), 4, one("wrong_arguments")),
    "misspells a tool": Misbehaviour(at({0}, arguments("ARGS", name="read_fil")), 4, one("unknown_tool")),
    "prefixes a tool": Misbehaviour(at({0}, arguments("ARGS", name="functions.read_file")), 3, one("mended_name")),
    "writes a tool in another case": Misbehaviour(at({0}, arguments("ARGS", name="ReadFile")), 3, one("mended_name")),
    "invents a tool": Misbehaviour(at({0}, arguments("ARGS", name="python")), 4, one("unknown_tool")),
    "invents tools for ever": Misbehaviour(
        always(arguments("ARGS", name="python")), 12, one("unknown_tool"), "replies was refused (in 2 contexts)"
    ),
    "sends calls without id and index": Misbehaviour(always(no_id_no_index), 3),
    "numbers every call 0": Misbehaviour(always(numbered_zero), 1),
    # -- repetition
    "repeats itself without end": Misbehaviour(
        at({0}, lambda _: Scripted(itertools.repeat(chunk({"content": "and again "})), wait=0.0005)),
        4,
        one("repetition"),
    ),
    "repeats itself inside a call": Misbehaviour(
        at(
            {0},
            lambda _: Scripted(
                itertools.chain(
                    call_pieces(0, "edit_file", '{"path": "'),
                    itertools.repeat(chunk({"tool_calls": [{"index": 0, "function": {"arguments": "ab\\n"}}]})),
                ),
                wait=0.0005,
            ),
        ),
        4,
        one("repetition"),
    ),
    "calls without end in one reply": Misbehaviour(
        at(
            {0},
            lambda _: Scripted(
                piece for n in itertools.count() for piece in call_pieces(n, "read_file", f'{{"path": "f{n}"}}')
            ),
        ),
        4,
        one("repetition"),
    ),
    "makes the same call until it is told": Misbehaviour(
        lambda request, _: None if "this very call" in str(request.body["messages"]) else calls(READ),
        6,
        one("same_call"),
    ),
    "makes the same call for ever": Misbehaviour(
        always(lambda _: calls(READ)), 10, one("same_call"), "the same call again and again (in 2 contexts)"
    ),
    "goes round until a schema leads it on": Misbehaviour(always(going_round), 12, one("same_call", "tools_refused")),
    "goes round between two calls": Misbehaviour(alternating, 13, one("same_call", "fresh_context")),
    # -- the job
    "submits what it has not changed": Misbehaviour(at({0}, lambda _: calls(SUBMIT)), 4, one("refused")),
    "submits a failed edit under another name": Misbehaviour(
        at({1}, lambda _: calls(WRONG_EDIT, ("functions.SubmitPatch", SUBMIT[1]))), 4, one("refused", "held_back")
    ),
    "edits what is not there and submits at once": Misbehaviour(
        at({1}, lambda _: calls(WRONG_EDIT, SUBMIT)), 4, one("refused", "held_back")
    ),
    # -- replies and streams that break
    "is cut in its prose": Misbehaviour(at({0}, lambda _: says("I think that", "length")), 4, one("cut")),
    "is cut inside a call": Misbehaviour(at({1}, cut_call), 4, one("broken_json")),
    "drops the stream inside a call": Misbehaviour(at({0, 2}, dropped), 5, one("cut_stream")),
    "ends the stream without a reason": Misbehaviour(
        at({0}, lambda _: Scripted(text_pieces("I begin"))), 4, one("cut_stream")
    ),
    "sends broken events": Misbehaviour(at({0}, lambda _: Scripted([b"data: {not json\n\n"])), 4, one("cut_stream")),
    "sends an error in the stream": Misbehaviour(
        at({0}, lambda _: Scripted([event({"error": {"message": "CUDA out of memory"}})])), 4, one("cut_stream")
    ),
    "sends a web page": Misbehaviour(at({0}, lambda _: HTML), 4, one("cut_stream")),
    "falls silent in the middle": Misbehaviour(
        at({0}, lambda _: Scripted(text_pieces("I begin"), end="hang")), 4, one("cut_stream")
    ),
    "does not answer": Misbehaviour(at({0}, lambda _: Scripted(end="hang")), 4, one("no_answer")),
    "counts no tokens": Misbehaviour(at({0}, lambda _: says("Hello.", usage=False)), 4, one("no_usage")),
    # -- endpoints
    "limits the rate": Misbehaviour(
        at({0, 2}, lambda _: fails(429, "slow down", Retry_After="0.05")), 5, one("rate_limit")
    ),
    "asks for an hour's wait": Misbehaviour(
        always(lambda _: fails(429, "slow down", Retry_After="3600")), 1, one("rate_limit"), "to wait 3600 s"
    ),
    "fails for a moment": Misbehaviour(at({0, 1, 3}, lambda _: fails(503)), 6, one("server_error")),
    "fails for ever": Misbehaviour(always(lambda _: fails(500)), 4, one("server_error"), "fails (500)"),
    "refuses the key": Misbehaviour(always(lambda _: fails(401, "no")), 1, one("model_failed"), "refuses the key"),
    "refuses stream options and temperature": Misbehaviour(
        lambda request, _: next(
            (fails(400, f"unknown field {key}") for key in ("stream_options", "temperature") if key in request.body),
            None,
        ),
        5,
        settings=(("temperature", 0.3),),
    ),
    "has a small window": Misbehaviour(small_window, 20, one("context_full", "condensed")),
    "has a window that the brief alone fills": Misbehaviour(
        always(lambda _: fails(400, "maximum context length is 100 tokens")), 2, one("context_full"), "100 tokens"
    ),
}
