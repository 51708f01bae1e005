"""A language model behind any OpenAI-compatible server, streamed, with native tool calls."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from roles.api_key import api_key, inert, known_key
from roles.chat import Lost, Message, Reply, ToolMode, ToolSpec, carry
from roles.circuit import Circuit, circuit_of
from roles.door import Door
from roles.errors import ContextFull, ModelError, ToolsRefused
from roles.holding import may_be_refused, way_of, ways
from roles.openai_client import connected
from roles.openai_refusals import Passing, refusal, said_by
from roles.openai_reply import CHARACTERS_PER_TOKEN, CutShort, NoReply, ReplyParts, Stopped
from roles.openai_request import message_json, tool_json
from roles.prices import FREE, Prices
from roles.rate import Rate, rate_of
from roles.record import Trouble

if TYPE_CHECKING:  # imported when the first reply is asked for: it takes a second that other models need not wait
    import openai

RETRIES = 4
USUAL_REPLY = 500
"""Tokens that a reply is taken for, by the rate limit, before the server has counted."""
OPTIONAL = ("stream_options", "temperature", "top_p", "max_tokens")
"""What a request does without when the server refuses it."""


class OpenAIModel:
    """Chat completions at `base_url`.

    The key is read from the environment variable `api_key_env` when it is needed, and stands in no text. `retries` is
    for 429 (waiting as Retry-After says), 5xx, lost connections and replies cut short; 400 and 401 are final.
    `timeout_seconds` is the longest silence of the server, `longest_seconds` the longest a reply may take in all.
    `context_tokens` is the model's window: None until the endpoint tells it in an error. `max_tokens` bounds a reply.
    `circuit` is shared by all models at one address, unless another one is given. `requests_per_minute` and
    `tokens_per_minute` are shared by everybody who asks this model; 0 is no limit, and waiting for them is no part of
    `longest_seconds`; `rate` is another one in their place. `tool_mode` says how tools are called;
    the agent loop reads it.
    """

    context_tokens: int | None
    circuit: Circuit

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        model: str,
        api_key_env: str | None = None,
        timeout_seconds: float = 120.0,
        longest_seconds: float = 1800.0,
        retries: int = RETRIES,
        retry_seconds: float = 1.0,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        context_tokens: int | None = None,
        prices: Prices = FREE,
        tool_mode: ToolMode = "auto",
        requests_per_minute: int = 0,
        tokens_per_minute: int = 0,
        circuit: Circuit | None = None,
        rate: Rate | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._label = f"The model {name} at {base_url}"
        self._base_url = base_url
        self._model = model
        self._key_env = api_key_env
        self._timeout = timeout_seconds
        self._longest = longest_seconds
        self._retries = retries
        self._temperature = temperature
        self._top_p = top_p
        self._max_tokens = max_tokens
        self._prices = prices
        self._environment = environment
        self.context_tokens = context_tokens
        self.tool_mode: ToolMode = tool_mode
        self.circuit = circuit or circuit_of(base_url)
        shared = rate or rate_of(base_url, model, requests_per_minute, tokens_per_minute)
        self._door = Door(model, self._label, self.circuit, shared, retry_seconds)
        self._tools_refused: ToolsRefused | None = None
        self._refused: set[str] = set()  # of OPTIONAL, and ways to hold a reply to a call
        self._client: openai.AsyncOpenAI | None = None

    @property
    def name(self) -> str:
        """The model's own name: it stands in the room and in commits."""
        return self._model

    async def aclose(self) -> None:
        """Close the connections; the next reply opens them again."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        on_text: Callable[[str], None],
        must_call: Sequence[ToolSpec] = (),
    ) -> Reply:
        """See ChatModel. A reply that was cut short is asked for again, from its beginning."""
        if tools and self._tools_refused is not None:
            raise ToolsRefused(self._tools_refused.sentence, self._tools_refused.remedy)
        client = await self._connected()
        troubles: list[str] = []
        lost: list[Lost] = []
        try:
            async with asyncio.timeout(self._longest) as bound:
                for attempt in range(self._retries + 1):
                    await self._door.pass_circuit()
                    entry = await self._door.pass_rate(self._about(messages, tools), on_text, bound)
                    try:
                        reply = await self._ask(
                            client, lambda: self._request(messages, tools, must_call), on_text, lost
                        )
                    except Passing as passing:
                        self._door.note_failure(passing, self._inert(str(passing)))
                        troubles.append(passing.trouble)
                        passing.error.troubles = tuple(troubles)
                        passing.error.passing = True
                        if attempt == self._retries:
                            raise passing.error from None
                        if passing.trouble is Trouble.CUT_STREAM:
                            on_text(f"\n[the server {passing}; asking again]\n")
                        await asyncio.sleep(self._door.wait(passing, attempt))
                    except ModelError:
                        self.circuit.worked()  # a refusal is an answer
                        raise
                    else:
                        self.circuit.worked()
                        entry.tokens = reply.tokens_in + reply.tokens_out
                        cost = self._prices.money(reply.tokens_in, reply.tokens_out)
                        return replace(reply, money=cost, troubles=tuple(troubles), lost=tuple(lost))
        except ModelError as error:
            if isinstance(error, ToolsRefused):
                self._tools_refused = error
            if isinstance(error, ContextFull) and error.limit is not None:
                self.context_tokens = min(error.limit, self.context_tokens or error.limit)
            carry(error, lost)
            raise
        except TimeoutError:
            self.circuit.failed("does not finish its replies")
            slow = self._error(
                f"has not finished a reply within {self._longest:g} s", "Look at the server, or name a faster model."
            )
            slow.troubles, slow.passing = tuple(troubles), True
            carry(slow, lost)
            raise slow from None
        except asyncio.CancelledError as cancelled:
            self.circuit.abandoned()
            carry(cancelled, lost)
            raise
        raise AssertionError("the last attempt returns or raises")

    def _about(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> int:
        """The tokens that a request is taken for before the server has counted."""
        characters = sum(len(message.content) for message in messages) + sum(len(str(tool)) for tool in tools)
        return characters // CHARACTERS_PER_TOKEN + (self._max_tokens or USUAL_REPLY)

    async def _connected(self) -> openai.AsyncOpenAI:
        if self._client is None:
            key = api_key(self._label, self._key_env, self._environment)
            made = await asyncio.to_thread(connected, self._base_url, key, self._timeout)
            if self._client is None:  # another conversation may have been first
                self._client = made
            else:
                await made.close()
        return self._client

    async def _ask(
        self,
        client: openai.AsyncOpenAI,
        make: Callable[[], dict[str, Any]],
        on_text: Callable[[str], None],
        lost: list[Lost],
    ) -> Reply:
        """One try with the request that `make` makes. Raises Passing when another may help, else ModelError; then
        `lost` gets what has come until then."""
        messages = make()["messages"]
        prompt = json.dumps(messages, ensure_ascii=False)
        parts = ReplyParts(on_text, known_key(self._key_env, self._environment))
        whole: Reply | None = None
        try:
            with suppress(Stopped):  # with a finish reason that says why
                async with aclosing(self._chunks(client, make)) as chunks:
                    async for chunk in chunks:
                        parts.take(chunk)
            whole = parts.whole(prompt, len(messages))
        except CutShort as cut:
            remedy = (
                "Check base_url: it ends in /v1 at most servers." if isinstance(cut, NoReply) else "Look at the server."
            )
            raise self._cut(str(cut), remedy) from None
        finally:
            broken = None if whole else parts.lost(prompt)
            if broken is not None:
                lost.append(replace(broken, money=self._prices.money(broken.tokens_in, broken.tokens_out)))
        return whole

    def _cut(self, said: str, remedy: str) -> Passing:
        times = f" ({self._retries + 1} times)" if self._retries else ""
        passing = Passing(self._error(f"{said}{times}", remedy), Trouble.CUT_STREAM)
        passing.args = (said,)
        return passing

    async def _chunks(
        self, client: openai.AsyncOpenAI, make: Callable[[], dict[str, Any]]
    ) -> AsyncGenerator[Any, None]:
        """The chunks of the stream; whatever goes wrong with it is Passing, CutShort or ModelError."""
        import openai

        left_out: set[str] = set()
        while True:
            request = make()
            try:
                stream: Any = await client.chat.completions.create(**request)
                break
            except openai.APIStatusError as error:
                said = self._inert(said_by(error))
                refused = refusal(error, self._label, said, self._key_env, "tools" in request)
                part = None if isinstance(refused, ContextFull) else self._does_without(request, error)
                if part is None:
                    self._refused -= left_out  # that was not the reason
                    raise refused from None
                left_out.add(part)
                self._refused.add(part)
            except openai.APITimeoutError:
                raise Passing(
                    self._error(
                        f"has not answered within {self._timeout:g} s", "Raise timeout_seconds, or look at the server."
                    ),
                    Trouble.NO_ANSWER,
                ) from None
            except openai.APIConnectionError:
                raise Passing(
                    self._error("cannot be reached", "Start the server, or correct base_url in autolab.toml."),
                    Trouble.NO_ANSWER,
                ) from None
            except Exception as error:
                # Not the error's own text: it may repeat a header.
                raise self._error(
                    f"cannot be asked ({type(error).__name__})", "Check base_url in autolab.toml."
                ) from None
        try:
            async with stream:
                async for chunk in stream:
                    yield chunk
        except openai.APITimeoutError:
            raise CutShort(f"was silent for {self._timeout:g} s in the middle of a reply") from None
        except openai.APIError as error:
            said = self._inert(str(error.message))
            raise CutShort(f"broke off a reply ({said})") from None
        except ValueError:
            raise CutShort("sent something that is no piece of a reply") from None
        except Exception as error:
            # Older client libraries pass on the errors of their HTTP library as they are.
            raise CutShort(f"broke off a reply ({type(error).__name__})") from None

    def _request(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], must_call: Sequence[ToolSpec]
    ) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [message_json(message) for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            # A server that knows no `tool_choice` still offers none but those that the reply is held to.
            request["tools"] = [tool_json(tool) for tool in must_call or tools]
        if self._temperature is not None:
            request["temperature"] = self._temperature
        if self._top_p is not None:
            request["top_p"] = self._top_p
        if self._max_tokens is not None:
            request["max_tokens"] = self._max_tokens
        for way, part in ways(bool(tools), must_call) if must_call else ():
            if way not in self._refused:
                request |= part
                break
        return {key: value for key, value in request.items() if key not in self._refused}

    def _does_without(self, request: Mapping[str, Any], error: openai.APIStatusError) -> str | None:
        """What the server may have refused the request for, and a request can do without."""
        said = said_by(error)
        if error.status_code in (400, 422):
            for part in OPTIONAL:
                if part in request and part in said:
                    return part
        return way_of(request) if may_be_refused(error.status_code, said) else None

    def _error(self, sentence: str, remedy: str = "") -> ModelError:
        return ModelError(f"{self._label} {sentence}.", remedy)

    def _inert(self, text: str) -> str:
        return inert(text, self._key_env, self._environment)
