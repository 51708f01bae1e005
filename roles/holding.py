"""Holding a reply to a call: what a request says to a server that can keep a model from answering otherwise.

Natively it is `tool_choice`; where tools are called in text, a JSON schema that the server decodes by. A server that
knows neither says so or does as before, and the loop goes on with words alone.

Sources: the OpenAI chat protocol (`tool_choice`, `response_format`); the form with `schema` beside `json_object` is
that of llama.cpp's servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from roles.chat import ToolSpec

REFUSALS = (400, 404, 422, 501)
_MEANT = re.compile(r"tool.?choice|response.?format|schema|grammar", re.IGNORECASE)
_KEPT = ("type", "properties", "required", "additionalProperties", "items", "enum")
"""Of a schema; what else it says, servers understand in part, and the tool's own check is behind it."""


def ways(native: bool, tools: Sequence[ToolSpec]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The ways to ask for nothing but a call of one of these tools, the best first: a name, and parts of a request."""
    if native:
        yield "tool_choice", {"tool_choice": "required"}
        return
    schema = call_schema(tools)
    named = {"name": "call", "schema": schema}
    yield "json_schema", {"response_format": {"type": "json_schema", "json_schema": named}}
    yield "json_object", {"response_format": {"type": "json_object", "schema": schema}}


def way_of(request: Mapping[str, Any]) -> str | None:
    """The way that a request was written in."""
    if "tool_choice" in request:
        return "tool_choice"
    return request["response_format"]["type"] if "response_format" in request else None


def may_be_refused(status: int, said: str) -> bool:
    """Whether a failure can come of the way: then the request is worth another try without it."""
    return status in REFUSALS or (status == 500 and _MEANT.search(said) is not None)


def call_schema(tools: Sequence[ToolSpec]) -> dict[str, Any]:
    """A JSON schema of one call, as `text_calls` writes and reads it."""
    return {
        "anyOf": [
            {
                "type": "object",
                "properties": {"tool": {"type": "string", "enum": [tool.name]}, "arguments": _bare(tool.parameters)},
                "required": ["tool", "arguments"],
                "additionalProperties": False,
            }
            for tool in tools
        ]
    }


def _bare(schema: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: schema[key] for key in _KEPT if key in schema}
    if "properties" in found:
        found["properties"] = {name: _bare(inner) for name, inner in found["properties"].items()}
    if "items" in found:
        found["items"] = _bare(found["items"])
    return found
