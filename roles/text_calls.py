"""Tool calls as text, for models and endpoints that cannot make them in any other way.

The tools are explained in the system message; a call is a fenced block of JSON; answers come back as the user's
message. What models write by habit of their own templates is read as well: Hermes' <tool_call>, Llama's python tag and
<function=...>, Mistral's [TOOL_CALLS], a bare JSON object, and a call as Python would write it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from roles.chat import Message, Reply, ToolCall, ToolSpec
from roles.json_repair import object_of
from roles.thoughts import spoken

ANSWER = "[answer of "
"""How the answer of a tool begins."""
_NAMES = ("tool", "name", "function", "tool_name", "action")
_ARGUMENTS = ("arguments", "parameters", "args", "input", "action_input")
_FENCED = re.compile(r"```([\w-]*)[ \t]*\n?(.*?)```", re.DOTALL)
_TAGGED = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
_FUNCTION = re.compile(r"<function=([\w.-]+)>\s*(.*?)\s*(?:</function>|\Z)", re.DOTALL)
_MISTRAL = re.compile(r"\[TOOL_CALLS\]\s*(\[.*\])", re.DOTALL)


def explained(tools: Sequence[ToolSpec]) -> str:
    """What a model is told of the tools and of how to call them."""
    listed = "\n\n".join(
        f"{tool.name}: {tool.description}\nits arguments, as a JSON schema: "
        f"{json.dumps(tool.parameters, ensure_ascii=False, separators=(',', ':'))}"
        for tool in tools
    )
    return (
        "# Tools\n\nYou act only through these tools. To call one, write a fenced block like this one, and nothing"
        f" after it:\n\n{fenced('NAME', {'ARGUMENT': 'VALUE'})}\n\nThe block holds one JSON object: `tool` is the"
        " tool's name, `arguments` an object. Inside strings a line break is written \\n. You may write several blocks"
        f" in one reply. The answers come in the next message; never write them yourself.\n\n{listed}"
    )


def fenced(name: str, arguments: dict[str, Any]) -> str:
    """A call as the model should write it."""
    return f"```tool\n{json.dumps({'tool': name, 'arguments': arguments}, ensure_ascii=False)}\n```"


def as_text(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> list[Message]:
    """The conversation without native calls and answers, with the tools explained. Roles alternate, as some chat
    templates demand."""
    told: list[Message] = []
    called: dict[str, str] = {}
    for number, message in enumerate(messages):
        match message.role:
            case "system" if number == 0:
                told.append(replace(message, content=f"{message.content}\n\n{explained(tools)}"))
                continue
            case "assistant":
                called |= {call.id: call.name for call in message.tool_calls}
                blocks = [fenced(call.name, object_of(call.arguments)[0]) for call in message.tool_calls]
                new = Message("assistant", "\n\n".join(part for part in [message.content, *blocks] if part))
            case "tool":
                name = called.get(message.tool_call_id or "", "the tool")
                new = Message("user", f"{ANSWER}{name}]\n{message.content}")
            case _:
                new = message
        if told and told[-1].role == new.role:
            told[-1] = replace(new, content=f"{told[-1].content}\n\n{new.content}")
        else:
            told.append(new)
    return told


def with_calls(reply: Reply, names: Sequence[str]) -> Reply:
    """The reply with the calls that its text holds; unchanged when it holds none."""
    # What follows an answer that the model made up rests on nothing.
    own = reply.text.split(f"\n{ANSWER}")[0]
    text, found = calls_in(own, names, reply.finish_reason != "length")
    if not found:
        return reply
    calls = tuple(ToolCall(f"text_{number}", name, arguments) for number, (name, arguments) in enumerate(found))
    return replace(reply, text=text, tool_calls=calls)


def calls_in(text: str, names: Sequence[str], whole: bool = True) -> tuple[str, list[tuple[str, str]]]:
    """The text around the calls, and the calls as names and JSON texts, in the order written.

    A block that is marked as a call but whose JSON is broken is a call too, so that the model is told what is wrong.
    `whole` says that the text was not cut: the last block may then lack its end.
    """
    text = spoken(text)
    for pattern, read in ((_TAGGED, _tagged), (_FUNCTION, _function), (_MISTRAL, _mistral)):
        if found := [call for match in pattern.finditer(text) for call in read(match)]:
            return pattern.sub("", text).strip(), found
    if whole and text.count("```") % 2:
        text += "\n```"
    if found := [call for match in _FENCED.finditer(text) for call in _block(match, names)]:
        return _FENCED.sub(lambda match: "" if list(_block(match, names)) else match[0], text).strip(), found
    if found := list(_bare(text, names)):
        return "", found
    if found := list(_python(text, names)):
        return "", found
    return text, []


def _tagged(match: re.Match[str]) -> Iterator[tuple[str, str]]:
    inner = match[1]
    if (function := _FUNCTION.search(inner)) is not None:
        yield from _function(function)
        return
    try:
        value, _ = object_of(inner)
    except ValueError:
        name = re.search(r'"(?:name|tool)"\s*:\s*"([^"]+)"', inner)
        yield (name[1] if name else "", inner)
        return
    yield from _named(value)


def _function(match: re.Match[str]) -> Iterator[tuple[str, str]]:
    inner = re.sub(r"^\(|\)$", "", match[2])
    parameters = re.findall(r"<parameter=([\w.-]+)>\n?(.*?)\n?</parameter>", inner, re.DOTALL)
    yield match[1], json.dumps(dict(parameters)) if parameters else inner


def _mistral(match: re.Match[str]) -> Iterator[tuple[str, str]]:
    try:
        values = json.loads(match[1], strict=False)
    except ValueError:
        return
    for value in values:
        if isinstance(value, dict):
            yield from _named(value)


def _block(match: re.Match[str], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The calls in a fenced block; a block of code is none."""
    language, inner = match[1].lower(), match[2].strip()
    marked = language in ("tool", "tool_call", "tool_code") or language in names
    if language in names:
        yield language, inner
        return
    try:
        value, _ = object_of(inner)
    except ValueError:
        lines = [found for line in inner.splitlines() if line.strip() for found in _line(line)]
        if lines:
            yield from lines
        elif marked and list(_python(inner, names)):
            yield from _python(inner, names)
        elif marked or (language in ("json", "") and _mentions(inner, names)):
            name = re.search(r'"(?:tool|name)"\s*:\s*"([^"]+)"', inner)
            yield (name[1] if name else "", inner)
        return
    calls = list(_named(value))
    if marked or any(name in names for name, _ in calls):
        yield from calls


def _line(line: str) -> Iterator[tuple[str, str]]:
    """A call that stands on one line of several."""
    try:
        value = json.loads(line, strict=False)
    except ValueError:
        return
    if isinstance(value, dict):
        yield from _named(value)


def _bare(text: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Objects with a tool's name and arguments that stand in the text as they are."""
    decoder, at = json.JSONDecoder(strict=False), text.find("{")
    while at != -1:
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        else:
            yield from (call for call in _named(value) if call[0] in names)
        at = text.find("{", end)


def _python(text: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Calls as Python writes them, with named literal arguments."""
    for start in re.finditer(rf"\b({'|'.join(map(re.escape, names))})\(", text):
        for end in (found.end() for found in re.finditer(r"\)", text[start.start() :])):
            source = text[start.start() : start.start() + end]
            try:
                call = ast.parse(source, mode="eval").body
                assert isinstance(call, ast.Call) and not call.args
                arguments = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
                yield start[1], json.dumps(arguments)
                break
            except (SyntaxError, ValueError, TypeError, AssertionError, RecursionError):
                continue


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """The call in an object, by any of the usual names for its parts."""
    if not isinstance(value, dict):
        return
    if isinstance(value.get("function"), dict):  # OpenAI's own form
        value = value["function"]
    name = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    arguments = next((value[key] for key in _ARGUMENTS if key in value), None)
    if name is None:
        return
    if arguments is None:
        arguments = {key: inner for key, inner in value.items() if key not in _NAMES}
    yield name, arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _mentions(text: str, names: Sequence[str]) -> bool:
    return any(f'"{name}"' in text for name in names)
