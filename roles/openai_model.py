"""A language model behind any OpenAI-compatible server, streamed, with native tool calls."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from roles.chat import Message, Reply, ToolSpec
from roles.errors import ModelError
from roles.openai_reply import CutShort, Endless, ReplyParts

if TYPE_CHECKING:  # imported when the first reply is asked for: it takes a second that other models need not wait
    import openai

LONGEST_SAID = 300  # characters of a server's own words in an error
CONNECT_SECONDS = 10.0
OPTIONAL = ("stream_options", "temperature")
"""What a request does without when the server refuses it."""


class OpenAIModel:
    """Chat completions at `base_url`.

    The key is read from the environment variable `api_key_env` when it is needed, and stands in no text. `retries` is
    for 429 (waiting as Retry-After says), 5xx, lost connections and replies cut short; 400 and 401 are final.
    `timeout_seconds` is the longest silence of the server, `longest_seconds` the longest a reply may take in all.
    """

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        model: str,
        api_key_env: str | None = None,
        timeout_seconds: float = 120.0,
        longest_seconds: float = 1800.0,
        retries: int = 4,
        retry_seconds: float = 1.0,
        temperature: float | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._label = f"The model {name} at {base_url}"
        self._base_url = base_url
        self._model = model
        self._key_env = api_key_env
        self._timeout = timeout_seconds
        self._longest = longest_seconds
        self._retries = retries
        self._retry_seconds = retry_seconds
        self._temperature = temperature
        self._environment = environment
        self._refused: set[str] = set()  # of OPTIONAL
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
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], on_text: Callable[[str], None]
    ) -> Reply:
        """See ChatModel. A reply that was cut short is asked for again, from its beginning."""
        client = await self._connected()
        try:
            async with asyncio.timeout(self._longest):
                for attempt in range(self._retries + 1):
                    try:
                        return await self._ask(client, messages, tools, on_text)
                    except CutShort as cut:
                        if attempt == self._retries:
                            raise self._error(f"{cut} ({attempt + 1} times)", "Look at the server.") from None
                        on_text(f"\n[the server {cut}; asking again]\n")
                        await asyncio.sleep(self._retry_seconds * 2**attempt)
        except Endless:
            raise self._error("wrote without end and was stopped", "Lower its temperature, or name another.") from None
        except TimeoutError:
            raise self._error(
                f"has not finished a reply within {self._longest:g} s", "Look at the server, or name a faster model."
            ) from None
        raise AssertionError("the last attempt returns or raises")

    async def _connected(self) -> openai.AsyncOpenAI:
        if self._client is None:
            key = self._key()
            library: Any = await asyncio.to_thread(importlib.import_module, "openai")
            if self._client is None:  # another conversation may have been first
                self._client = library.AsyncOpenAI(
                    base_url=self._base_url,
                    api_key=key or "none",
                    timeout=library.Timeout(self._timeout, connect=min(CONNECT_SECONDS, self._timeout)),
                    max_retries=self._retries,
                )
        client = self._client
        assert client is not None
        return client

    def _key(self) -> str:
        """The key, empty when none is needed. Raises ModelError when it is missing or cannot be one."""
        if self._key_env is None:
            return ""
        key = self._environment.get(self._key_env, "").strip()
        if not key:
            raise ModelError(
                f"{self._label} needs a key in the environment variable {self._key_env}, which is not set.",
                "Set it, then start the daemon again from the same shell.",
            )
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ModelError(
                f"What stands in the environment variable {self._key_env} is no key: it holds characters that no key"
                " has.",
                "Set it again, to the key alone, then start the daemon again from the same shell.",
            )
        return key

    async def _ask(
        self,
        client: openai.AsyncOpenAI,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        on_text: Callable[[str], None],
    ) -> Reply:
        """One try. Raises CutShort when another may help, else ModelError."""
        request = self._request(messages, tools)
        parts = ReplyParts(on_text)
        async for chunk in self._chunks(client, request):
            parts.take(chunk)
        return parts.whole(json.dumps(request["messages"], ensure_ascii=False), len(messages))

    async def _chunks(self, client: openai.AsyncOpenAI, request: dict[str, Any]) -> AsyncIterator[Any]:
        """The chunks of the stream; whatever goes wrong with it is a ModelError."""
        import openai

        while True:
            try:
                stream: Any = await client.chat.completions.create(**request)
                break
            except openai.APIStatusError as error:
                dropped = self._does_without(request, error)
                if dropped is None:
                    raise self._status_error(error) from None
                del request[dropped]
            except openai.APITimeoutError:
                raise self._error(
                    f"has not answered within {self._timeout:g} s", "Raise timeout_seconds, or look at the server."
                ) from None
            except openai.APIConnectionError:
                raise self._error(
                    "cannot be reached", "Start the server, or correct base_url in autolab.toml."
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

    def _request(self, messages: Sequence[Message], tools: Sequence[ToolSpec]) -> dict[str, Any]:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [_message(message) for message in messages],
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            request["tools"] = [_tool(tool) for tool in tools]
        if self._temperature is not None:
            request["temperature"] = self._temperature
        return {key: value for key, value in request.items() if key not in self._refused}

    def _does_without(self, request: Mapping[str, Any], error: openai.APIStatusError) -> str | None:
        """The optional part of the request that the server refuses, which is left out from now on."""
        if error.status_code not in (400, 422):
            return None
        said = _said(error)
        for part in OPTIONAL:
            if part in request and part in said:
                self._refused.add(part)
                return part
        return None

    def _status_error(self, error: openai.APIStatusError) -> ModelError:
        said = self._inert(_said(error))
        key = f"the key in the environment variable {self._key_env}" if self._key_env else "api_key_env in autolab.toml"
        match error.status_code:
            case 401:
                sentence, remedy = "refuses the key (401)", f"Check {key}."
            case 403:
                sentence, remedy = "does not allow this (403)", f"Check what {key} may do."
            case 404:
                sentence, remedy = "is not there (404)", "Check base_url and model in autolab.toml."
            case 429:
                sentence, remedy = "asks for fewer requests (429)", "Wait, use fewer workers, or another model."
            case 400 | 422 if "tool" in said.lower():
                sentence = f"refuses the request ({error.status_code})"
                remedy = "Start the server with tool calls (vLLM: --enable-auto-tool-choice, llama.cpp: --jinja)."
            case 400 | 413 | 422:
                sentence = f"refuses the request ({error.status_code})"
                remedy = "Check that the model can hold a conversation of this length."
            case status:
                sentence, remedy = f"fails ({status})", "Look at the server."
        return self._error(f"{sentence}: {said}" if said else sentence, remedy)

    def _error(self, sentence: str, remedy: str = "") -> ModelError:
        return ModelError(f"{self._label} {sentence}.", remedy)

    def _inert(self, text: str) -> str:
        """A server's words as they may be shown: without the key or a piece of it, on one line, not too long."""
        key = self._environment.get(self._key_env, "").strip() if self._key_env else ""
        if key:
            text = text.replace(key, "***")
        if len(key) >= 12:  # some servers repeat the beginning of a key
            text = re.sub(rf"{re.escape(key[:6])}\S*", "***", text)
        words = "".join(letter if letter.isprintable() else " " for letter in text).split()
        return " ".join(words)[:LONGEST_SAID].rstrip(" .")


def _said(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        body = inner.get("message", inner) if isinstance(inner, dict) else inner
    return str(body or "")


def _message(message: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        found["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        found["tool_call_id"] = message.tool_call_id
    return found


def _tool(tool: ToolSpec) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
    }
