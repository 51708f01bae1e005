"""A model's rate limit, by a clock that the test owns, and over real HTTP between agents of one model."""

from __future__ import annotations

import asyncio
import time

from roles.chat import Message
from roles.openai_model import OpenAIModel
from roles.rate import Entry, Rate, rate_of
from tests.roles.openai_server import OpenAIServer, calls

ASKED = (Message("system", "You are a test."), Message("user", "Go on."))


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def rate(requests: int = 0, tokens: int = 0) -> tuple[Rate, Clock]:
    clock = Clock()
    return Rate(requests, tokens, clock=clock, sleep=clock.sleep), clock


async def admitted(one: Rate, tokens: int = 10) -> Entry:
    return await one.admit(tokens, lambda _: None)


async def test_no_more_requests_than_allowed_begin_within_any_minute() -> None:
    one, clock = rate(requests=3)
    begun = []
    for _ in range(8):
        begun.append((await admitted(one)).at)
        clock.now += 1
    assert all(later - earlier >= 60 for earlier, later in zip(begun, begun[3:], strict=False))
    assert begun[:3] == [1000.0, 1001.0, 1002.0] and begun[3] == 1060.0


async def test_tokens_are_estimated_before_and_corrected_by_what_the_server_counted() -> None:
    one, clock = rate(tokens=1000)
    first = await admitted(one, 900)
    first.tokens = 100
    await admitted(one, 800)
    assert clock.now == 1000.0, "the estimate was too high, so there is room"
    await admitted(one, 500)
    assert clock.now == 1060.0


async def test_a_request_larger_than_the_limit_goes_alone_instead_of_never() -> None:
    one, clock = rate(tokens=1000)
    await admitted(one, 50_000)
    assert clock.now == 1000.0
    await admitted(one, 10)
    assert clock.now == 1060.0


async def test_requests_are_let_through_in_the_order_in_which_they_came() -> None:
    one, _ = rate(requests=1)
    order: list[int] = []

    async def ask(number: int) -> None:
        await admitted(one)
        order.append(number)

    await asyncio.gather(*(ask(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]


async def test_who_is_cancelled_while_waiting_leaves_the_line_to_the_next() -> None:
    one = Rate(requests=1)
    await admitted(one)
    waiting = asyncio.create_task(admitted(one))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    behind = asyncio.create_task(admitted(one))
    await asyncio.sleep(0)
    assert not behind.done(), "the limit still holds"
    behind.cancel()
    await asyncio.gather(behind, return_exceptions=True)


def test_all_agents_of_a_model_share_its_rate_and_other_models_have_their_own() -> None:
    one = rate_of("http://here/v1", "qwen", 60, 0)
    assert rate_of("http://here/v1", "qwen", 60, 0) is one
    assert rate_of("http://here/v1", "other", 60, 0) is not one
    assert not rate_of("http://here/v1", "qwen", 0, 0).limited


async def test_two_agents_of_one_model_over_http_keep_to_it_and_the_waiting_one_is_told() -> None:
    shared, heard = Rate(requests=2, window=2.5), list[str]()
    with OpenAIServer([calls(("finish", {}))] * 3) as server:
        agents = [
            OpenAIModel(name=name, base_url=server.url, model="scripted", rate=shared, longest_seconds=2)
            for name in ("one", "two", "three")
        ]
        begun = time.monotonic()
        await asyncio.gather(*(agent.reply(ASKED, (), heard.append) for agent in agents))
        took = time.monotonic() - begun
        times = [request.at for request in server.requests]
        for agent in agents:
            await agent.aclose()
    assert max(times) - begun >= 2.4, "the third waits, longer than a reply may take"
    assert took < 30 and any("until the rate limit of scripted lets this through" in piece for piece in heard)
