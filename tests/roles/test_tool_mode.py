"""`tool_mode`: natively or in text alone where a person knows it, else found out; over real HTTP."""

from __future__ import annotations

from typing import Any

from roles.agent import Finished, GaveUp, converse
from roles.circuit import Circuit
from roles.openai_model import OpenAIModel
from tests.roles.openai_server import OpenAIServer, Request, Scripted, fails
from tests.roles.weak_scripts import prose_only, right
from tests.roles.workbench import BRIEF, SYSTEM, Silent, Workbench


async def job(server: OpenAIServer, **more: Any) -> tuple[Finished | GaveUp, Workbench]:
    bench = Workbench()
    model = OpenAIModel(
        name="t", base_url=server.url, model="scripted", retries=1, retry_seconds=0.01, circuit=Circuit("t"), **more
    )
    came = await converse(model, SYSTEM, BRIEF, bench.tools(), Silent())
    await model.aclose()
    return came, bench


async def test_text_never_sends_tools_and_explains_them_from_the_first_request_on() -> None:
    with OpenAIServer(right) as server:
        came, bench = await job(server, tool_mode="text")
    assert isinstance(came, Finished) and bench.submitted
    assert all("tools" not in request.body for request in server.requests)
    assert "You act only through these tools" in server.requests[0].body["messages"][0]["content"]
    assert came.troubles == {}, "nothing had to be found out"


async def test_native_does_not_fall_back_to_text_when_the_endpoint_refuses_tools() -> None:
    with OpenAIServer(lambda _: fails(400, "this model does not support tools")) as server:
        came, _ = await job(server, tool_mode="native")
    assert isinstance(came, GaveUp) and "does not support tools" in came.reason
    assert all("tools" in request.body for request in server.requests)


async def test_native_takes_no_call_from_prose_and_nudges_instead() -> None:
    def reply(request: Request) -> Scripted:
        nudged = sum("as text" in str(message["content"]) for message in request.body["messages"])
        return prose_only(request) if nudged < 3 else right(request)

    with OpenAIServer(reply) as server:
        came, bench = await job(server, tool_mode="native")
    assert isinstance(came, Finished) and bench.submitted
    assert all("tools" in request.body for request in server.requests)


async def test_auto_finds_out_that_an_endpoint_takes_no_tools() -> None:
    def reply(request: Request) -> Scripted:
        return fails(400, "tools are not supported") if "tools" in request.body else right(request)

    with OpenAIServer(reply) as server:
        came, bench = await job(server)
    assert isinstance(came, Finished) and bench.submitted and came.troubles["tools_refused"] == 1
