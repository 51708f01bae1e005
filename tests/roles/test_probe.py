"""The doctor's one exchange with a model: what it shows of streaming, tool calls and tokens, over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from roles.circuit import Circuit
from roles.errors import ModelError
from roles.openai_model import OpenAIModel
from roles.probe import Abilities, probe
from tests.roles.openai_server import (
    DONE,
    OpenAIServer,
    Request,
    Scripted,
    call_pieces,
    calls,
    chunk,
    fails,
    says,
    usage_chunk,
)
from tests.roles.weak_scripts import in_text

READY = ("ready", {"word": "yes"})


async def tried(server: OpenAIServer, **more: Any) -> Abilities:
    model = OpenAIModel(name="t", base_url=server.url, model="m", retries=0, circuit=Circuit("t"), **more)
    try:
        return await probe(model)
    finally:
        await model.aclose()


async def test_a_sound_server_needs_one_exchange_and_no_remedy() -> None:
    with OpenAIServer([calls(READY)]) as server:
        found = await tried(server)
    assert (found.tools, found.streams, found.counts, found.remedies) == ("native", True, True, ())
    assert len(server.requests) == 1 and "streams; calls tools natively; counts tokens" in found.told


async def test_a_server_without_tools_is_told_with_how_to_start_it() -> None:
    def reply(request: Request) -> Scripted:
        return fails(400, "tool calls are not enabled") if "tools" in request.body else says(in_text(*READY))

    with OpenAIServer(reply) as server:
        found = await tried(server)
    assert found.tools == "refused" and "takes no tools" in found.told
    assert "--enable-auto-tool-choice" in found.remedies[0] and "It works as it is" in found.remedies[0]
    with OpenAIServer(lambda _: fails(400, "tool calls are not enabled")) as server, pytest.raises(ModelError):
        await tried(server, tool_mode="text")


async def test_a_call_written_as_text_and_tokens_that_are_not_counted_are_told() -> None:
    with OpenAIServer([says(in_text(*READY), usage=False)]) as server:
        found = await tried(server)
    assert found.tools == "text" and not found.counts
    assert any("estimated by length" in remedy for remedy in found.remedies)


async def test_in_text_mode_a_call_as_text_is_as_it_should_be() -> None:
    with OpenAIServer([says(in_text(*READY))]) as server:
        found = await tried(server, tool_mode="text")
    assert found.tools == "text" and found.remedies == () and "tools" not in server.requests[0].body


async def test_a_model_that_calls_nothing_and_a_server_that_sends_all_at_once_are_told() -> None:
    whole = Scripted([chunk({"content": "I am ready to help you with anything."}, "stop"), usage_chunk(), DONE])
    with OpenAIServer([whole]) as server:
        found = await tried(server)
    assert found.tools == "none" and found.streams is False
    assert len(found.remedies) == 2 and "did not do as it was told" in found.remedies[0]
    assert 'Try tool_mode = "text" or a larger model' in found.remedies[0]


async def test_a_model_that_calls_nothing_in_text_mode_is_not_told_to_try_it() -> None:
    with OpenAIServer([says("I am ready to help you with anything.")]) as server:
        found = await tried(server, tool_mode="text")
    assert found.tools == "none" and found.remedies[0].startswith("It did not do as it was told. Try a larger model")
    assert not any("tool_mode" in remedy for remedy in found.remedies)


async def test_a_call_in_a_single_piece_from_a_short_reply_says_nothing_of_streaming() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    pieces = [*call_pieces(0, "ready", json.dumps(READY[1]), width=100), chunk({}, "tool_calls", usage=usage), DONE]
    with OpenAIServer([Scripted(pieces)]) as server:
        found = await tried(server)
    assert found.tools == "native" and found.streams is None
