"""A server may take `tools` and never show them to the model: the harness finds out, and remembers."""

from __future__ import annotations

from typing import Any

from roles.agent import Finished, converse
from roles.circuit import Circuit
from roles.openai_model import OpenAIModel
from tests.roles.openai_server import OpenAIServer, Request, Scripted, calls, says
from tests.roles.weak_scripts import READ, blind, right
from tests.roles.workbench import BRIEF, SYSTEM, Silent, Workbench


def model_at(url: str) -> OpenAIModel:
    return OpenAIModel(name="weak", base_url=url, model="scripted", circuit=Circuit(url), retries=0)


async def play(model: OpenAIModel) -> tuple[Any, Workbench]:
    bench = Workbench()
    return await converse(model, SYSTEM, BRIEF, bench.tools(), Silent()), bench


async def test_a_model_that_is_never_shown_the_tools_gets_them_as_text_in_the_fresh_context() -> None:
    with OpenAIServer(blind) as server:
        model = model_at(server.url)
        came, bench = await play(model)
        await model.aclose()
        assert isinstance(came, Finished) and "'relu'" in bench.submitted
        assert came.troubles["tools_unseen"] == 1
        assert ["tools" in request.body for request in server.requests] == [True] * 4 + [False] * 3


async def test_the_next_job_of_such_a_model_begins_with_the_tools_as_text() -> None:
    with OpenAIServer(blind) as server:
        model = model_at(server.url)
        await play(model)
        begun = len(server.requests)
        came, _ = await play(model)
        await model.aclose()
        assert isinstance(came, Finished) and "tools_unseen" not in came.troubles
        assert len(server.requests) - begun == 3, "no reply is spent on finding out again"


async def test_a_model_that_called_natively_once_keeps_its_native_tools() -> None:
    def forgetful(request: Request) -> Scripted:
        if len(request.body["messages"]) == 2 and "begun before" not in str(request.body["messages"][1]):
            return calls(READ)
        if "begun before" in str(request.body["messages"][1]):
            return right(request)
        return says(f"I have read it {len(request.body['messages'])} times.")

    with OpenAIServer(forgetful) as server:
        model = model_at(server.url)
        came, _ = await play(model)
        await model.aclose()
        assert isinstance(came, Finished) and came.troubles["fresh_context"] == 1
        assert all("tools" in request.body for request in server.requests)
