"""A reply is held to a call by whatever the server knows for it, and a server that knows nothing is asked once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from roles.chat import Message
from roles.circuit import Circuit
from roles.errors import ModelError
from roles.holding import call_schema
from roles.openai_model import OpenAIModel
from roles.tools import PARAMETERS, spec_of
from tests.roles.openai_server import OpenAIServer, Request, Scripted, calls, fails, says

ASKED = (Message("system", "You are a worker."), Message("user", "Go on."))
SPECS = [spec_of("read_file"), spec_of("give_up")]


def asked(reply: Any, natively: bool, times: int = 1) -> list[dict[str, Any]]:
    """The requests of so many replies that are held to a call."""
    requests: list[dict[str, Any]] = []

    def answer(request: Request) -> Scripted:
        requests.append(request.body)
        answered: Scripted = reply(request.body)
        return answered

    async def ask(url: str) -> None:
        model = OpenAIModel(name="m", base_url=url, model="m", circuit=Circuit(url), retries=0)
        for _ in range(times):
            await model.reply(ASKED, SPECS if natively else [], lambda _: None, SPECS)
        await model.aclose()

    with OpenAIServer(answer) as server:
        asyncio.run(ask(server.url))
    return requests


def held(request: dict[str, Any]) -> Any:
    return request.get("tool_choice") or request.get("response_format", {}).get("type")


def test_natively_the_choice_of_a_tool_is_required() -> None:
    (request,) = asked(lambda body: calls(("read_file", {"path": "train.py"})), natively=True)
    assert held(request) == "required" and "response_format" not in request


def test_in_text_a_schema_holds_one_call() -> None:
    (request,) = asked(lambda body: says("{}"), natively=False)
    assert "tool_choice" not in request and "tools" not in request
    schema = request["response_format"]["json_schema"]["schema"]
    read, give_up = schema["anyOf"]
    assert read["properties"]["tool"]["enum"] == ["read_file"] and read["required"] == ["tool", "arguments"]
    assert read["properties"]["arguments"]["properties"]["path"] == {"type": "string"}
    assert give_up["properties"]["arguments"]["required"] == ["reason"]


def test_a_way_that_a_server_refuses_is_left_for_the_next_and_not_tried_again() -> None:
    def refuses(*forms: str) -> Any:
        return lambda body: fails(422, "response_format.type") if held(body) in forms else says("{}")

    assert list(map(held, asked(refuses("json_schema"), False, 2))) == ["json_schema", "json_object", "json_object"]
    told = list(map(held, asked(refuses("json_schema", "json_object"), False, 2)))
    assert told == ["json_schema", "json_object", None, None]
    no_choice = lambda body: fails(400, "no such thing") if "tool_choice" in body else says("")  # noqa: E731
    assert list(map(held, asked(no_choice, True, 2))) == ["required", None, None]


@pytest.mark.parametrize("status", [400, 401, 500])
def test_a_refusal_that_has_another_reason_is_told_and_the_way_is_kept(status: int) -> None:
    broken = True

    def reply(body: dict[str, Any]) -> Scripted:
        return fails(status, "the name is unknown") if broken else says("")

    requests: list[dict[str, Any]] = []

    def answer(request: Request) -> Scripted:
        requests.append(request.body)
        return reply(request.body)

    async def ask(url: str) -> None:
        nonlocal broken
        model = OpenAIModel(name="m", base_url=url, model="m", circuit=Circuit(url), retries=0)
        with pytest.raises(ModelError, match="unknown"):
            await model.reply(ASKED, SPECS, lambda _: None, SPECS)
        broken = False
        await model.reply(ASKED, SPECS, lambda _: None, SPECS)
        await model.aclose()

    with OpenAIServer(answer) as server:
        asyncio.run(ask(server.url))
    assert held(requests[-1]) == "required"


def test_every_tool_has_a_schema_without_what_servers_understand_in_part() -> None:
    def words(schema: Any) -> set[str]:
        inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
        return set(schema) | {word for one in inner for word in words(one)}

    for one in call_schema([spec_of(name) for name in PARAMETERS])["anyOf"]:
        assert words(one) <= {"type", "properties", "required", "additionalProperties", "items", "enum"}, one
