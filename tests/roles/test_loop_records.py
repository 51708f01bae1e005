"""Every call of a model leaves a record; a job goes on with the next model, which is told what stands."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from roles.agent import CallRecord, Finished, GaveUp, Limits, converse
from roles.circuit import Circuit
from roles.openai_model import OpenAIModel
from roles.playing import Playing
from roles.prices import Prices
from roles.record import Outcome, Trouble
from tests.roles.openai_server import DONE, OpenAIServer, Scripted, call_pieces, calls, chunk, fails, says, text_pieces
from tests.roles.weak_scripts import EDIT, READ, SUBMIT, in_text
from tests.roles.workbench import BRIEF, SYSTEM, Silent, Workbench


def model_at(server: OpenAIServer, **more: Any) -> OpenAIModel:
    settings: dict[str, Any] = {"timeout_seconds": 5, "retries": 2, "retry_seconds": 0.01, **more}
    settings = {"model": "m", **settings}
    return OpenAIModel(name="test", base_url=server.url, circuit=Circuit(server.url), **settings)


async def test_every_call_is_recorded_with_its_tokens_money_times_and_outcome() -> None:
    records: list[CallRecord] = []
    replies = [fails(503), says("Hello."), calls(READ), calls(("edit_file", {})), calls(EDIT), calls(SUBMIT)]
    with OpenAIServer(replies) as server:
        model = model_at(server, prices=Prices(per_million_in=2.0, per_million_out=10.0))
        came = await converse(model, SYSTEM, BRIEF, Workbench().tools(), Silent(), on_call=records.append)
        await model.aclose()
    assert [record.outcome for record in records] == [
        Outcome.NO_CALL,
        Outcome.WENT_ON,
        Outcome.REFUSED,
        Outcome.WENT_ON,
        Outcome.FINISHED,
    ]
    assert [record.troubles for record in records] == [
        (Trouble.SERVER_ERROR, Trouble.NO_CALL),
        (),
        (Trouble.WRONG_ARGUMENTS,),
        (),
        (),
    ]
    assert len({record.prompt_hash for record in records}) == 5
    assert all(len(record.prompt_hash) == 64 and record.model == "m" for record in records)
    for record in records:
        assert (record.tokens_in, record.tokens_out, record.estimated) == (120, 34, False)
        assert record.money == pytest.approx((120 * 2 + 34 * 10) / 1e6)
        assert record.first_token_seconds is not None and 0 < record.first_token_seconds <= record.seconds
    assert records[0].reply == "Hello." and records[1].tool_calls[0].name == "read_file"
    assert isinstance(came, Finished) and came.money == pytest.approx(5 * records[0].money)


async def test_a_failed_and_a_cancelled_call_are_recorded_too() -> None:
    records: list[CallRecord] = []
    with OpenAIServer([fails(401, "no")]) as server:
        model = model_at(server)
        await converse(model, SYSTEM, BRIEF, Workbench().tools(), Silent(), on_call=records.append)
        await model.aclose()
    with OpenAIServer([Scripted([chunk({"content": "I begin"})], end="hang")]) as server:
        model = model_at(server)
        talk = asyncio.create_task(
            converse(model, SYSTEM, BRIEF, Workbench().tools(), Silent(), on_call=records.append)
        )
        async with asyncio.timeout(10):
            while not server.requests:
                await asyncio.sleep(0.01)
        talk.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talk
        assert await asyncio.to_thread(server.hung_up.wait, 5)
        await model.aclose()
    assert [record.outcome for record in records] == [Outcome.FAILED, Outcome.CANCELLED]
    assert "refuses the key" in records[0].reply


async def test_what_broke_off_is_recorded_and_paid_for() -> None:
    """A budget counts what the server has worked for, whether or not it was of use."""
    records: list[CallRecord] = []
    broken = [
        Scripted(text_pieces("I begin with the learning rate"), end="drop"),
        Scripted(call_pieces(0, READ[0], json.dumps(READ[1]))[:2]),
    ]
    prices = Prices(per_million_in=2.0, per_million_out=10.0)
    with OpenAIServer([*broken, calls(EDIT), calls(SUBMIT), *broken, broken[0]]) as server:
        model = model_at(server, prices=prices)
        done = await converse(model, SYSTEM, BRIEF, Workbench().tools(), Silent(), on_call=records.append)
        failed = await converse(model, SYSTEM, BRIEF, Workbench().tools(), Silent(), on_call=records.append)
        await model.aclose()
    assert [record.outcome for record in records] == [
        *(Outcome.CUT, Outcome.CUT, Outcome.WENT_ON, Outcome.FINISHED),
        *(Outcome.CUT, Outcome.CUT, Outcome.CUT, Outcome.FAILED),
    ]
    assert records[0].reply == "I begin with the learning rate" and "read_file" in records[1].reply
    for record in records[:2] + records[4:7]:
        assert record.estimated and record.tokens_in > 0 and record.tokens_out > 0 and record.troubles == ()
        assert record.money == pytest.approx((record.tokens_in * 2 + record.tokens_out * 10) / 1e6)
    assert isinstance(done, Finished) and done.money == pytest.approx(sum(record.money for record in records[:4]))
    assert records[2].troubles.count(Trouble.CUT_STREAM) == 2
    assert isinstance(failed, GaveUp) and failed.tokens_out == sum(record.tokens_out for record in records[4:]) > 0


async def test_a_cancelled_reply_is_recorded_as_far_as_it_came() -> None:
    records: list[CallRecord] = []
    heard = asyncio.Event()

    class Listening(Silent):
        def text(self, piece: str) -> None:
            heard.set()

    with OpenAIServer([Scripted([chunk({"content": "I begin"})], end="hang")]) as server:
        model = model_at(server, prices=Prices(per_million_in=2.0, per_million_out=10.0))
        job = converse(model, SYSTEM, BRIEF, Workbench().tools(), Listening(), on_call=records.append)
        talk = asyncio.create_task(job)
        await asyncio.wait_for(heard.wait(), 10)
        talk.cancel()
        with pytest.raises(asyncio.CancelledError):
            await talk
        await model.aclose()
    (record,) = records
    assert (record.outcome, record.reply, record.estimated) == (Outcome.CANCELLED, "I begin", True)
    assert record.tokens_in > 0 and record.tokens_out > 0 and record.money > 0


async def test_the_next_model_is_told_what_the_one_before_has_done() -> None:
    bench = Workbench()
    with OpenAIServer([calls(READ), calls(EDIT), fails(401, "no")]) as first, OpenAIServer([calls(SUBMIT)]) as second:
        models = [model_at(first), model_at(second, model="its stand-in")]
        playing = Playing("")
        came = await converse(models, SYSTEM, BRIEF, bench.tools(), Silent(), playing=playing)
        for model in models:
            await model.aclose()
    assert isinstance(came, Finished) and came.troubles[Trouble.NEXT_MODEL] == 1
    brief = second.requests[0].body["messages"][1]["content"]
    assert brief.startswith(BRIEF) and "- edit_file" in brief and "What was done then stands" in brief
    assert "'relu'" in bench.submitted
    assert playing.model == came.model == "its stand-in"


async def test_when_every_model_fails_the_reason_names_each() -> None:
    with OpenAIServer([fails(401, "no")]) as first, OpenAIServer(lambda _: says("I am done.")) as second:
        models = [model_at(first), model_at(second)]
        came = await converse(models, SYSTEM, BRIEF, Workbench().tools(), Silent(), Limits(fresh_contexts=0))
        for model in models:
            await model.aclose()
    assert isinstance(came, GaveUp)
    assert "refuses the key (401)" in came.reason
    assert came.reason.endswith("then m: the model ended its turn 4 times without calling a tool")


async def test_no_model_at_all_is_told() -> None:
    came = await converse([], SYSTEM, BRIEF, Workbench().tools(), Silent())
    assert isinstance(came, GaveUp) and "no model is named" in came.reason


async def test_an_endpoint_that_refuses_tools_is_asked_with_them_once_for_all_jobs() -> None:
    def reply(request: Any) -> Scripted:
        if "tools" in request.body:
            return fails(400, "tools are not supported")
        text = str(request.body["messages"])
        return says(in_text(*(SUBMIT if "is changed" in text else EDIT)))

    with OpenAIServer(reply) as server:
        model = model_at(server)
        for _ in range(2):
            assert isinstance(await converse(model, SYSTEM, BRIEF, Workbench().tools(), Silent()), Finished)
        await model.aclose()
        assert ["tools" in request.body for request in server.requests] == [True, False, False, False, False]


async def test_a_known_window_is_kept_to_before_the_endpoint_complains() -> None:
    bench = Workbench(filler=400)
    parts = [{"path": "train.py", "start": 1 + 60 * part, "lines": 60} for part in range(6)]
    reads = [  # the server counts no tokens, so they are guessed by length
        Scripted([*call_pieces(0, "read_file", json.dumps(part)), chunk({}, "tool_calls"), DONE]) for part in parts
    ]
    records: list[CallRecord] = []
    with OpenAIServer([*reads, calls(EDIT), calls(SUBMIT)]) as server:
        model = model_at(server, context_tokens=3000)
        came = await converse(model, SYSTEM, BRIEF, bench.tools(), Silent(), on_call=records.append)
        await model.aclose()
        sizes = [len(str(request.body["messages"])) for request in server.requests]
    assert isinstance(came, Finished) and came.troubles[Trouble.CONDENSED] > 0
    assert max(sizes) < 3000 * 4


async def test_a_stream_cut_by_the_job_being_taken_away_is_closed_at_once_also_in_text_mode() -> None:
    def reply(request: Any) -> Scripted:
        if "tools" in request.body:
            return fails(400, "tools are not supported")
        return Scripted(text_pieces("I begin"), end="hang")

    with OpenAIServer(reply) as server:
        model = model_at(server)
        talk = asyncio.create_task(converse(model, SYSTEM, BRIEF, Workbench().tools(), Silent()))
        async with asyncio.timeout(10):
            while len(server.requests) < 2:
                await asyncio.sleep(0.01)
        talk.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(talk, 2)
        assert await asyncio.to_thread(server.hung_up.wait, 5)
        await model.aclose()
