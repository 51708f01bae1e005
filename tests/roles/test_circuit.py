"""The circuit of an endpoint: opened by failures in a row, tried again by one, shared by all who ask there."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from roles.chat import Message
from roles.circuit import LONGEST_PAUSE, Circuit, State, circuit_of, circuits
from roles.errors import ModelError
from roles.openai_model import OpenAIModel
from roles.openai_refusals import asked_to_wait
from tests.roles.openai_server import OpenAIServer, Scripted, fails, says, text_pieces

ASKED = (Message("user", "Go on."),)


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def opened(clock: Clock) -> Circuit:
    circuit = Circuit("http://x/v1", failures=3, first_pause=10, clock=clock)
    for _ in range(3):
        assert circuit.may_ask()
        circuit.failed("fails (500)")
    return circuit


def model_at(url: str, **more: Any) -> OpenAIModel:
    return OpenAIModel(
        name="test", base_url=url, model="m", **{"timeout_seconds": 2, "retries": 0, "retry_seconds": 0.01, **more}
    )


def test_it_opens_after_failures_in_a_row_and_tells_why_and_for_how_long() -> None:
    clock = Clock()
    shown = opened(clock).shown
    assert (shown.state, shown.failures, shown.seconds, shown.reason) == (State.OPEN, 3, 10, "fails (500)")


def test_a_success_between_failures_keeps_it_closed() -> None:
    circuit = Circuit("http://x/v1", failures=2)
    for _ in range(5):
        circuit.failed("fails (500)")
        circuit.worked()
    assert circuit.shown.state is State.CLOSED and circuit.may_ask()


def test_after_the_pause_one_request_is_let_through_and_its_success_closes_the_circuit() -> None:
    clock = Clock()
    circuit = opened(clock)
    assert not circuit.may_ask()
    clock.now += 10
    assert [circuit.may_ask() for _ in range(3)] == [True, False, False]
    assert circuit.shown.state is State.HALF_OPEN
    circuit.worked()
    assert circuit.shown.state is State.CLOSED and circuit.may_ask()


def test_a_failed_trial_doubles_the_pause_up_to_a_bound() -> None:
    clock = Clock()
    circuit = opened(clock)
    pauses = []
    for _ in range(9):
        clock.now += circuit.shown.seconds
        assert circuit.may_ask()
        circuit.failed("fails (500)")
        pauses.append(circuit.shown.seconds)
    assert pauses[:3] == [20, 40, 80] and pauses[-1] == LONGEST_PAUSE


def test_a_cancelled_trial_lets_another_one_through_at_once() -> None:
    clock = Clock()
    circuit = opened(clock)
    clock.now += 10
    assert circuit.may_ask()
    circuit.abandoned()
    assert circuit.may_ask()


async def test_all_models_of_an_endpoint_share_its_circuit_and_a_dead_one_is_not_asked() -> None:
    with OpenAIServer([fails(500)] * 20) as server:
        first, second = model_at(server.url), model_at(server.url)
        assert first.circuit is second.circuit is circuit_of(server.url)
        for model in (first, second, first, second, first):
            with pytest.raises(ModelError):
                await model.reply(ASKED, (), lambda _: None)
        asked = len(server.requests)
        with pytest.raises(ModelError) as caught:
            await second.reply(ASKED, (), lambda _: None)
        assert len(server.requests) == asked == 5
        assert "is left alone for 15 s after 5 failures in a row (fails (500)" in caught.value.sentence
        (shown,) = [one for one in circuits() if one.base_url == server.url]
        assert shown.state is State.OPEN
        for model in (first, second):
            await model.aclose()


async def test_an_endpoint_that_is_back_is_used_again_after_the_trial() -> None:
    clock = Clock()
    with OpenAIServer([fails(500), says("I am back."), says("Still here.")]) as server:
        circuit = Circuit(server.url, failures=1, first_pause=30, clock=clock)
        model = model_at(server.url, circuit=circuit)
        with pytest.raises(ModelError):
            await model.reply(ASKED, (), lambda _: None)
        clock.now += 30
        assert (await model.reply(ASKED, (), lambda _: None)).text == "I am back."
        assert circuit.shown.state is State.CLOSED
        assert (await model.reply(ASKED, (), lambda _: None)).text == "Still here."
        await model.aclose()


async def test_a_trial_that_is_refused_is_answered_and_closes_the_circuit() -> None:
    clock = Clock()
    with OpenAIServer([fails(500), fails(400, "no such field"), says("fine")]) as server:
        circuit = Circuit(server.url, failures=1, first_pause=30, clock=clock)
        model = model_at(server.url, circuit=circuit)
        for _ in range(2):
            with pytest.raises(ModelError):
                await model.reply(ASKED, (), lambda _: None)
            clock.now += 30
        assert (await model.reply(ASKED, (), lambda _: None)).text == "fine"
        await model.aclose()


async def test_one_agents_429_makes_the_others_of_the_endpoint_wait_too() -> None:
    with OpenAIServer([fails(429, "slow", Retry_After="0.6"), says("one"), says("two")]) as server:
        first, second = model_at(server.url, retries=1), model_at(server.url)
        slow = asyncio.create_task(first.reply(ASKED, (), lambda _: None))
        async with asyncio.timeout(10):
            while first.circuit.wait_seconds == 0:
                await asyncio.sleep(0.01)
        began = time.monotonic()
        await second.reply(ASKED, (), lambda _: None)
        assert time.monotonic() - began > 0.3
        await slow
        assert all(request.at - server.requests[0].at >= 0.55 for request in server.requests[1:])
        for model in (first, second):
            await model.aclose()


@pytest.mark.parametrize("status", [429, 503])
async def test_an_endpoint_that_asks_for_a_long_wait_is_asked_by_nobody_until_it_is_over(status: int) -> None:
    clock = Clock()
    with OpenAIServer([fails(status, "slow", Retry_After="300"), says("one"), says("two")]) as server:
        circuit = Circuit(server.url, clock=clock)
        first, second = (model_at(server.url, retries=4, circuit=circuit) for _ in range(2))
        for model in (first, second, first, second):
            with pytest.raises(ModelError) as caught:
                await model.reply(ASKED, (), lambda _: None)
            assert caught.value.passing, "the job waits for the endpoint, or goes to the next model"
        assert len(server.requests) == 1
        assert "to be left alone, for 300 s more" in caught.value.sentence
        clock.now += 300
        assert (await second.reply(ASKED, (), lambda _: None)).text == "one"
        assert (await first.reply(ASKED, (), lambda _: None)).text == "two"
        for model in (first, second):
            await model.aclose()


async def test_a_cancelled_trial_over_http_does_not_leave_the_endpoint_locked() -> None:
    clock, begun = Clock(), asyncio.Event()
    with OpenAIServer([fails(500), Scripted(text_pieces("I begin"), end="hang"), says("fine")]) as server:
        circuit = Circuit(server.url, failures=1, first_pause=30, clock=clock)
        model = model_at(server.url, circuit=circuit, timeout_seconds=30)
        with pytest.raises(ModelError):
            await model.reply(ASKED, (), lambda _: None)
        clock.now += 30
        trial = asyncio.create_task(model.reply(ASKED, (), lambda _: begun.set()))
        await asyncio.wait_for(begun.wait(), 10)
        trial.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trial
        assert await asyncio.to_thread(server.hung_up.wait, 5)
        assert (await model.reply(ASKED, (), lambda _: None)).text == "fine"
        await model.aclose()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after-ms": "300", "retry-after": "9"}, 0.3),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 60.0),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_to_wait(headers, 1445412420.0) == seconds
