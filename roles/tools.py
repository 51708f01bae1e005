"""What agents can call: the tools of `roles.parameters`, bound to the handlers that the engine gives them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from roles.chat import ToolSpec
from roles.errors import Choices, ToolRefusal, WrongArguments
from roles.parameters import PARAMETERS
from roles.schema import Parameters

__all__ = [
    "FINISHING",
    "TOOL_NAMES",
    "Answer",
    "Handler",
    "Tool",
    "ToolRefusal",
    "WrongArguments",
    "bind",
    "narrowed",
    "spec_of",
    "tool_of",
]

TOOL_NAMES = tuple(PARAMETERS)
FINISHING = frozenset(name for name, parameters in PARAMETERS.items() if parameters.finishing)
"""The tools that end a job."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A tool's answer to the model; `finished` ends the job."""

    text: str
    finished: bool = False


Handler = Callable[[dict[str, Any]], Awaitable[Answer]]
"""Gets the checked arguments, with every default filled in; raises ToolRefusal for what it refuses."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool with the handler that answers it."""

    spec: ToolSpec
    handler: Handler
    parameters: type[Parameters]

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def usage(self) -> str:
        """The schema and one example, for a model that got it wrong."""
        return (
            f"{self.name} takes one JSON object of this schema: {_compact(self.spec.parameters)}"
            f" Example: {_compact(self.parameters.example)}"
        )

    async def __call__(self, arguments: dict[str, Any]) -> Answer:
        """Check the arguments and answer. Raises WrongArguments, or ToolRefusal from the handler."""
        return await self.handler(self.check(arguments))

    def check(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments as the handler gets them. Raises WrongArguments, with one sentence for each that is wrong."""
        try:
            return self.parameters.model_validate(arguments).model_dump()
        except ValidationError as error:
            wrong = " ".join(self._sentence(one) for one in error.errors(include_url=False))
            raise WrongArguments(f"Wrong arguments for {self.name}: {wrong}") from None

    def copied(self, arguments: dict[str, Any]) -> str | None:
        """The argument whose sentence is the example's, where the call is to say what is true of this lab."""
        if not self.parameters.own_words:
            return None
        for name, given in arguments.items():
            if isinstance(given, str) and given == self.parameters.example.get(name) and len(given.split()) > 4:
                return name
        return None

    def _sentence(self, wrong: ErrorDetails) -> str:
        place = ".".join(str(part) for part in wrong["loc"]) or "arguments"
        known = list(self.parameters.model_fields)
        match wrong["type"]:
            case "missing":
                return f"`{place}` is missing."
            case "extra_forbidden":
                near = difflib.get_close_matches(place, known, n=1)
                meant = f"; did you mean `{near[0]}`?" if near else "."
                return f"There is no argument `{place}`{meant}"
            case _:
                given = json.dumps(wrong["input"], default=str)
                shown = given if len(given) <= 60 else f"{given[:60]}..."
                return f"`{place}` is {shown}: {wrong['msg'][:1].lower()}{wrong['msg'][1:]}."


def bind(name: str, handler: Handler, **choices: Sequence[Any]) -> Tool:
    """The tool `name` of the catalogue, answered by `handler`; `choices` are all values that an argument may have here.

    A server that holds a reply to a schema leaves a model none but these; the handler still refuses others in words.
    """
    tool = tool_of(name, PARAMETERS[name], handler)
    return replace(tool, spec=narrowed(tool.spec, choices))


def narrowed(spec: ToolSpec, choices: Choices) -> ToolSpec:
    """The tool as it is told where its arguments may have these values alone."""
    if not choices:
        return spec
    properties = {**spec.parameters["properties"]}
    for argument, values in choices.items():
        properties[argument] = {**properties[argument], "enum": list(values)}
    return replace(spec, parameters={**spec.parameters, "properties": properties})


def tool_of(name: str, parameters: type[Parameters], handler: Handler) -> Tool:
    """A tool that need not be in the catalogue."""
    return Tool(_spec(name, parameters), handler, parameters)


def spec_of(name: str) -> ToolSpec:
    """What a model is told of the tool `name` of the catalogue."""
    return _spec(name, PARAMETERS[name])


def _spec(name: str, parameters: type[Parameters]) -> ToolSpec:
    schema = parameters.model_json_schema()
    definitions = schema.pop("$defs", {})
    schema.pop("description", None)
    return ToolSpec(name, " ".join((parameters.__doc__ or "").split()), _plain(schema, definitions))


def _plain(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The schema without references, titles and null alternatives: not every server understands them."""
    if "$ref" in schema:
        referred = definitions[schema["$ref"].rsplit("/", 1)[-1]]
        return _plain({**referred, **{key: value for key, value in schema.items() if key != "$ref"}}, definitions)
    plain: dict[str, Any] = {}
    for key, value in schema.items():
        match key:
            case "title":
                continue
            case "properties":
                plain[key] = {name: _plain(inner, definitions) for name, inner in value.items()}
            case "items":
                plain[key] = _plain(value, definitions)
            case "anyOf":
                (only,) = (inner for inner in value if inner.get("type") != "null")
                plain.update(_plain(only, definitions))
            case "default" if value is None:
                continue
            case _:
                plain[key] = value
    return plain


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
