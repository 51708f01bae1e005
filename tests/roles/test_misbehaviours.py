"""Whatever a model or its endpoint does wrong, the job is finished in the end, or it ends with the right reason."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from roles.agent import CallRecord, Finished, GaveUp, converse
from roles.circuit import Circuit
from roles.openai_model import OpenAIModel
from tests.roles.misbehaviours import MISBEHAVIOURS, Misbehaviour
from tests.roles.openai_server import OpenAIServer, Request, Scripted
from tests.roles.weak_scripts import right
from tests.roles.workbench import BRIEF, SYSTEM, Silent, Workbench

SETTINGS: dict[str, Any] = {"timeout_seconds": 0.6, "longest_seconds": 20, "retries": 3, "retry_seconds": 0.01}
LONGEST_JOB = 40.0


def misbehaving(bad: Misbehaviour) -> OpenAIServer:
    counter = iter(range(10**6))

    def reply(request: Request) -> Scripted:
        return bad.script(request, next(counter)) or right(request)

    return OpenAIServer(reply)


def model_at(url: str, **settings: Any) -> OpenAIModel:
    return OpenAIModel(name="weak", base_url=url, model="scripted", circuit=Circuit(url), **{**SETTINGS, **settings})


@pytest.mark.parametrize("name", MISBEHAVIOURS)
async def test_a_job_is_brought_to_its_end_within_a_bound_though_the_model(name: str) -> None:
    bad, bench, records = MISBEHAVIOURS[name], Workbench(filler=400 if "window" in name else 0), list[CallRecord]()
    with misbehaving(bad) as server:
        model = model_at(server.url, **dict(bad.settings))
        async with asyncio.timeout(LONGEST_JOB):
            came = await converse(model, SYSTEM, BRIEF, bench.tools(), Silent(), on_call=records.append)
        await model.aclose()
        for request in server.requests:  # whatever was written, what goes back is what every server takes
            for message in request.body["messages"]:
                assert message["content"] or message.get("tool_calls")
                for call in message.get("tool_calls", []):
                    assert isinstance(json.loads(call["function"]["arguments"]), dict)
    if bad.ends:
        assert isinstance(came, GaveUp) and bad.ends in came.reason
        assert not bench.submitted
    else:
        assert isinstance(came, Finished), came
        assert "'relu'" in bench.submitted
    assert len(server.requests) <= bad.requests
    assert bad.counted <= set(came.troubles), came.troubles
    assert sum(record.tokens_out for record in records) == came.tokens_out


@pytest.mark.parametrize("name", [name for name, bad in MISBEHAVIOURS.items() if bad.ends])
async def test_where_one_model_comes_to_no_end_the_next_of_the_list_finishes_the_job(name: str) -> None:
    bad, bench = MISBEHAVIOURS[name], Workbench()
    with misbehaving(bad) as weak, OpenAIServer(right) as strong:
        models = [model_at(weak.url), model_at(strong.url)]
        async with asyncio.timeout(LONGEST_JOB):
            came = await converse(models, SYSTEM, BRIEF, bench.tools(), Silent())
        for model in models:
            await model.aclose()
    assert isinstance(came, Finished) and came.troubles["next_model"] == 1
    assert bench.submitted and len(strong.requests) <= 3


def test_there_are_more_than_thirty_ways_to_misbehave() -> None:
    assert len(MISBEHAVIOURS) >= 30
