"""The OpenAI-compatible client against a real HTTP server that keeps to the protocol, and one that does not."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import time
import traceback

import pytest

from roles.chat import Message, Reply, ToolCall
from roles.errors import ModelError
from tests.roles.asking import ASKED, KEY, TOOLS, ask, failure, model_at
from tests.roles.openai_server import (
    DONE,
    OpenAIServer,
    Scripted,
    call_pieces,
    calls,
    chunk,
    event,
    fails,
    says,
    text_pieces,
    usage_chunk,
)

# -- a server that keeps to the protocol


async def test_text_arrives_in_pieces_and_whole_with_the_tokens_that_the_server_counted() -> None:
    seen: list[str] = []
    with OpenAIServer([says("I read train.py first.")]) as server:
        reply = await ask(server, seen.append)
    assert seen == ["I ", "read ", "train.py ", "first."]
    assert reply == Reply("I read train.py first.", (), 120, 34, "stop")


async def test_calls_cut_in_the_middle_of_their_json_and_mixed_with_each_other_are_put_together() -> None:
    first = call_pieces(0, "propose", json.dumps({"title": "Squared ReLU", "hypothesis": "lower"}), width=3)
    second = call_pieces(1, "finish", '{"summary": "proposed one"}', width=4)
    mixed = [piece for pair in itertools.zip_longest(first, second) for piece in pair if piece is not None]
    with OpenAIServer([Scripted([*mixed, chunk({}, "tool_calls"), usage_chunk(), DONE])]) as server:
        reply = await ask(server)
    assert reply.tool_calls == (
        ToolCall("call_propose_0", "propose", '{"title": "Squared ReLU", "hypothesis": "lower"}'),
        ToolCall("call_finish_1", "finish", '{"summary": "proposed one"}'),
    )
    assert reply.finish_reason == "tool_calls"


async def test_the_request_holds_the_conversation_the_tools_and_the_key() -> None:
    history = (
        *ASKED,
        Message("assistant", "", (ToolCall("a1", "finish", "{}"),)),
        Message("tool", "Not yet.", tool_call_id="a1"),
    )
    with OpenAIServer([says("fine")]) as server:
        model = model_at(server.url, api_key_env="MY_KEY", environment={"MY_KEY": KEY + "\n"}, temperature=0.3)
        await model.reply(history, TOOLS, lambda _: None)
        await model.aclose()
    (request,) = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body["stream_options"] == {"include_usage": True}
    assert request.body["temperature"] == 0.3
    assert [tool["function"]["name"] for tool in request.body["tools"]] == ["propose", "finish"]
    assert request.body["messages"][2]["tool_calls"] == [
        {"id": "a1", "type": "function", "function": {"name": "finish", "arguments": "{}"}}
    ]
    assert request.body["messages"][3] == {"role": "tool", "content": "Not yet.", "tool_call_id": "a1"}


async def test_a_character_cut_in_two_between_pieces_is_made_whole() -> None:
    pieces = [
        chunk({"content": "good \ud83d"}),
        chunk({"content": "\ude00 \ud83d"}),
        *call_pieces(0, "finish", '{"summary": "\U0001f600"}', width=1),
        chunk({}, "stop"),
        DONE,
    ]
    with OpenAIServer([Scripted(pieces)]) as server:
        reply = await ask(server)
    assert reply.text == "good \U0001f600 \ufffd"
    assert json.loads(reply.tool_calls[0].arguments) == {"summary": "\U0001f600"}


async def test_the_thinking_of_a_reasoning_model_is_shown_but_is_no_part_of_the_reply() -> None:
    seen: list[str] = []
    pieces = [chunk({"reasoning_content": "Hm. "}), chunk({"content": "Yes."}), chunk({}, "stop"), DONE]
    with OpenAIServer([Scripted(pieces)]) as server:
        reply = await ask(server, seen.append)
    assert seen == ["Hm. ", "Yes."]
    assert reply.text == "Yes."


# -- servers with habits of their own


async def test_calls_that_are_all_numbered_0_are_told_apart_by_their_ids() -> None:
    pieces = [*call_pieces(0, "propose", '{"title": "one"}', "a"), *call_pieces(0, "finish", "{}", "b")]
    with OpenAIServer([Scripted([*pieces, chunk({}, "stop"), DONE])]) as server:
        reply = await ask(server)
    assert reply.tool_calls[0] == ToolCall("a", "propose", '{"title": "one"}')
    assert reply.tool_calls[1] == ToolCall("b", "finish", "{}")


async def test_calls_without_index_and_id_and_with_arguments_as_an_object_are_understood() -> None:
    one = {"type": "function", "function": {"name": "propose", "arguments": {"title": "one"}}}
    two = {"type": "function", "function": {"name": "finish", "arguments": {"summary": "done"}}}
    with OpenAIServer([Scripted([chunk({"tool_calls": [one, two]}, "tool_calls"), DONE])]) as server:
        reply = await ask(server)
    first, second = reply.tool_calls
    assert (first.name, json.loads(first.arguments)) == ("propose", {"title": "one"})
    assert (second.name, json.loads(second.arguments)) == ("finish", {"summary": "done"})
    assert first.id and second.id and first.id != second.id


async def test_a_server_that_refuses_stream_options_is_asked_without_and_its_tokens_are_estimated() -> None:
    refusal = fails(400, "Unrecognized request argument: stream_options")
    with OpenAIServer([refusal, says("fine", usage=False), says("again", usage=False)]) as server:
        model = model_at(server.url)
        reply = await model.reply(ASKED, TOOLS, lambda _: None)
        await model.reply(ASKED, TOOLS, lambda _: None)
        await model.aclose()
    assert ["stream_options" in request.body for request in server.requests] == [True, False, False]
    assert reply.estimated and reply.tokens_in > 0 and reply.tokens_out > 0


async def test_a_server_that_sends_no_usage_gets_estimates_that_are_marked() -> None:
    with OpenAIServer([says("fine", usage=False)]) as server:
        reply = await ask(server)
    assert reply.estimated and reply.text == "fine"


# -- streams that break


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(Scripted(text_pieces("I begin")), id="ends in silence"),
        pytest.param(Scripted([*text_pieces("I begin"), DONE]), id="says done without a reason"),
        pytest.param(Scripted(call_pieces(0, "propose", '{"title": "x"}')[:2], end="drop"), id="drops inside a call"),
        pytest.param(Scripted([*text_pieces("I begin"), b"data: {not json\n\n"]), id="sends broken JSON"),
        pytest.param(Scripted([event(42), event(["x"]), event(None)]), id="sends JSON that is no chunk"),
        pytest.param(Scripted([event({"choices": None}), event({"choices": [None]})]), id="sends empty choices"),
        pytest.param(Scripted([event({"error": {"message": "CUDA out of memory"}})]), id="sends an error"),
        pytest.param(
            Scripted([b'{"choices": []}'], headers={"Content-Type": "application/json"}), id="does not stream"
        ),
    ],
)
async def test_a_reply_that_breaks_off_is_asked_for_again_and_the_watcher_is_told(broken: Scripted) -> None:
    seen: list[str] = []
    with OpenAIServer([broken, says("whole")]) as server:
        reply = await ask(server, seen.append)
    assert (reply.text, len(server.requests)) == ("whole", 2)
    assert any("asking again" in piece for piece in seen)


async def test_a_server_that_always_cuts_its_replies_short_is_given_up_after_the_retries() -> None:
    with OpenAIServer([Scripted(text_pieces("I begin"))] * 3) as server:
        error = await failure(server)
    assert "cut a reply short (3 times)" in error.sentence
    assert len(server.requests) == 3


async def test_a_server_that_sends_a_web_page_leads_to_the_address() -> None:
    page = Scripted([b"<html><body>It works!</body></html>"], headers={"Content-Type": "text/html"})
    with OpenAIServer([page] * 3) as server:
        error = await failure(server)
    assert "answered without one piece of a reply" in error.sentence and "Check base_url" in error.remedy


async def test_what_a_server_says_in_the_stream_about_its_failure_reaches_the_person() -> None:
    with OpenAIServer([Scripted([event({"error": {"message": "CUDA out of memory\x1b[31m"}})])] * 3) as server:
        error = await failure(server)
    assert "CUDA out of memory" in error.sentence and "\x1b" not in error.sentence


async def test_a_server_silent_in_the_middle_of_a_reply_is_asked_again() -> None:
    with OpenAIServer([Scripted(text_pieces("I begin"), end="hang"), says("whole")]) as server:
        reply = await ask(server, timeout_seconds=0.3)
    assert reply.text == "whole"


async def test_a_reply_that_repeats_itself_without_end_is_stopped_and_kept_once() -> None:
    endless = itertools.chain(text_pieces("I read it. "), itertools.repeat(chunk({"content": "again and "})))
    with OpenAIServer([Scripted(endless)]) as server:
        reply = await ask(server)
        assert await asyncio.to_thread(server.hung_up.wait, 5)
    assert reply.finish_reason == "repetition"
    assert reply.text == "I read it. again and"


async def test_a_reply_without_end_that_never_repeats_is_cut() -> None:
    endless = (chunk({"content": f"{number} " * 400}) for number in itertools.count())
    with OpenAIServer([Scripted(endless)]) as server:
        reply = await ask(server)
        assert await asyncio.to_thread(server.hung_up.wait, 5)
    assert reply.finish_reason == "length"


async def test_a_reply_that_drips_for_too_long_is_stopped() -> None:
    dripping = itertools.repeat(chunk({"content": "."}))
    with OpenAIServer([Scripted(dripping, wait=0.05)]) as server:
        error = await failure(server, longest_seconds=0.5)
    assert "has not finished a reply within 0.5 s" in error.sentence
    assert error.passing, "that is the server's trouble, and nothing was learnt of the job"


# -- errors


async def test_429_is_waited_out_as_long_as_the_server_asks() -> None:
    with OpenAIServer([fails(429, "slow down", Retry_After="0.7"), says("fine")]) as server:
        reply = await ask(server)
    first, second = server.requests
    assert reply.text == "fine"
    assert second.at - first.at >= 0.7


async def test_a_server_that_fails_for_a_moment_is_asked_again() -> None:
    with OpenAIServer([fails(500), fails(503), says("fine")]) as server:
        reply = await ask(server)
    assert (reply.text, len(server.requests)) == ("fine", 3)


async def test_a_server_that_goes_on_failing_is_given_up_with_its_words() -> None:
    with OpenAIServer([fails(500, "the GPU fell off")] * 2) as server:
        error = await failure(server, retries=1)
    assert "fails (500): the GPU fell off" in error.sentence and error.remedy


@pytest.mark.parametrize(
    ("status", "message", "sentence", "remedy"),
    [
        (401, f"Incorrect API key provided: {KEY}.", "refuses the key (401)", "MY_KEY"),
        (401, "Incorrect API key provided: sk-ver****6789.", "refuses the key (401)", "MY_KEY"),
        (401, "Incorrect API key provided: ***456789.", "refuses the key (401)", "MY_KEY"),
        (401, "Incorrect API key, it ends with 23456789", "refuses the key (401)", "MY_KEY"),
        (401, "Incorrect API key, it has secret-012 in it", "refuses the key (401)", "MY_KEY"),
        (403, "not yours", "does not allow this (403)", "MY_KEY"),
        (404, "no such model", "is not there (404): no such model", "base_url and model"),
        (400, "maximum context length is 4096", "refuses the request (400): maximum context", "this length"),
        (400, "tools param requires --jinja flag", "refuses the request (400): tools param", "--jinja"),
    ],
)
async def test_a_refusal_is_final_and_told_with_a_remedy_and_without_the_key(
    status: int, message: str, sentence: str, remedy: str
) -> None:
    with OpenAIServer([fails(status, message)] * 2) as server:
        error = await failure(server, api_key_env="MY_KEY", environment={"MY_KEY": KEY})
    assert len(server.requests) == 1
    assert sentence in error.sentence and remedy in error.remedy
    told = "".join(traceback.format_exception(error)).replace(server.url, "")  # a port may have any digits
    assert KEY not in told and "sk-ver" not in told and "6789" not in told and "secret-012" not in told


async def test_a_server_that_does_not_answer_runs_into_the_time_out() -> None:
    with OpenAIServer([Scripted(end="hang")] * 2) as server:
        error = await failure(server, timeout_seconds=0.3, retries=1)
    assert "has not answered within 0.3 s" in error.sentence
    assert len(server.requests) == 2


async def test_an_endpoint_where_nobody_listens_is_told_with_its_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        model = model_at(url, retries=0, api_key_env="MY_KEY", environment={"MY_KEY": KEY})
        with pytest.raises(ModelError) as caught:
            await model.reply(ASKED, TOOLS, lambda _: None)
        await model.aclose()
    assert url in caught.value.sentence and "cannot be reached" in caught.value.sentence
    assert "Start the server" in caught.value.remedy
    assert KEY not in "".join(traceback.format_exception(caught.value))


async def test_a_base_url_that_is_none_is_told() -> None:
    with pytest.raises(ModelError) as caught:
        await model_at("nonsense", retries=0).reply(ASKED, TOOLS, lambda _: None)
    assert "base_url" in caught.value.remedy


# -- cancellation


async def test_cancelling_hangs_up_at_once() -> None:
    begun = asyncio.Event()
    with OpenAIServer([Scripted(text_pieces("I begin"), end="hang")]) as server:
        model = model_at(server.url, timeout_seconds=60)
        asked = asyncio.create_task(model.reply(ASKED, TOOLS, lambda _: begun.set()))
        await asyncio.wait_for(begun.wait(), 10)
        cancelled_at = time.monotonic()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert time.monotonic() - cancelled_at < 1
        assert await asyncio.to_thread(server.hung_up.wait, 5)
        await model.aclose()


async def test_one_model_holds_several_conversations_at_once() -> None:
    replies = {"one": calls(("finish", {"summary": "1"})), "two": calls(("finish", {"summary": "2"}))}
    with OpenAIServer(lambda request: replies[request.body["messages"][-1]["content"]]) as server:
        model = model_at(server.url)
        first, second = await asyncio.gather(
            *(model.reply([Message("user", word)], TOOLS, lambda _: None) for word in replies)
        )
        await model.aclose()
    assert [json.loads(reply.tool_calls[0].arguments)["summary"] for reply in (first, second)] == ["1", "2"]
