"""A language model behind any OpenAI-compatible server, streamed, with native tool calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    BadRequestError,
    OpenAIError,
)

from roles.chat import Message, Reply, ToolCall, ToolSpec
from roles.errors import ModelError

CHARACTERS_PER_TOKEN = 4


class OpenAIModel:
    """Chat completions at `base_url`. The key is read from the environment variable `api_key_env`, and kept nowhere."""

    def __init__(
        self,
        *,
        name: str,
        base_url: str,
        model: str,
        api_key_env: str | None = None,
        timeout_seconds: float = 120.0,
        retries: int = 4,
        temperature: float | None = None,
    ) -> None:
        self._name = name
        self._base_url = base_url
        self._model = model
        self._key_name = api_key_env
        self._timeout = timeout_seconds
        self._retries = retries
        self._temperature = temperature
        self._stream_usage = True
        self._client: AsyncOpenAI | None = None

    @property
    def name(self) -> str:
        return self._model

    def _connected(self) -> AsyncOpenAI:
        if self._client is None:
            key = "none"
            if self._key_name is not None:
                key = os.environ.get(self._key_name, "")
                if not key:
                    raise ModelError(
                        f"The model {self._name} needs a key in the environment variable {self._key_name}, which is"
                        " not set.",
                        "Set it and start the daemon again.",
                    )
            # The client retries 408, 409, 429 (as Retry-After says) and 5xx by itself.
            self._client = AsyncOpenAI(
                base_url=self._base_url, api_key=key, timeout=self._timeout, max_retries=self._retries
            )
        return self._client

    async def reply(
        self, messages: Sequence[Message], tools: Sequence[ToolSpec], on_text: Callable[[str], None]
    ) -> Reply:
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [_message(message) for message in messages],
            "tools": [_tool(tool) for tool in tools],
            "stream": True,
        }
        if self._temperature is not None:
            request["temperature"] = self._temperature
        try:
            return await self._stream(request, on_text)
        except BadRequestError as error:
            if self._stream_usage and "stream_options" in str(error):
                self._stream_usage = False  # an older server: its token counts are estimated
                return await self.reply(messages, tools, on_text)
            raise self._failure(error) from error
        except OpenAIError as error:
            raise self._failure(error) from error
        except (ValueError, UnicodeDecodeError) as error:
            raise ModelError(f"The server of {self._name} sent something that is no stream.", retry=True) from error

    async def _stream(self, request: dict[str, Any], on_text: Callable[[str], None]) -> Reply:
        if self._stream_usage:
            request = {**request, "stream_options": {"include_usage": True}}
        text: list[str] = []
        calls: dict[int, dict[str, str]] = {}
        finish, usage = None, None
        stream = await self._connected().chat.completions.create(**request)
        async with stream:
            async for chunk in stream:
                usage = chunk.usage or usage
                for choice in chunk.choices[:1]:
                    finish = choice.finish_reason or finish
                    if choice.delta.content:
                        text.append(choice.delta.content)
                        on_text(choice.delta.content)
                    for piece in choice.delta.tool_calls or []:
                        call = calls.setdefault(piece.index, {"id": "", "name": "", "arguments": ""})
                        call["id"] = piece.id or call["id"]
                        if piece.function is not None:
                            call["name"] += piece.function.name or ""
                            call["arguments"] += piece.function.arguments or ""
        if finish is None:
            raise ModelError(f"The reply of {self._name} was cut off in the middle.", retry=True)
        if text:
            on_text("\n")
        made = tuple(
            ToolCall(call["id"] or f"call_{number}", call["name"], call["arguments"])
            for number, call in sorted(calls.items())
        )
        spoken = "".join(text)
        return Reply(
            text=spoken,
            tool_calls=made,
            tokens_in=usage.prompt_tokens if usage else _estimate(str(request["messages"])),
            tokens_out=usage.completion_tokens if usage else _estimate(spoken + "".join(c.arguments for c in made)),
            finish_reason=finish,
        )

    def _failure(self, error: OpenAIError) -> ModelError:
        """The sentence for what the client raised. Its own text is not passed on whole: it may repeat a header."""
        if isinstance(error, APITimeoutError):
            return ModelError(
                f"The model {self._name} at {self._base_url} has not answered within {self._timeout:g} s.",
                "Raise timeout_seconds, or look at the server.",
                retry=True,
            )
        if isinstance(error, APIConnectionError):
            return ModelError(
                f"The model {self._name} at {self._base_url} cannot be reached.",
                "Start the server, or correct base_url in autolab.toml.",
            )
        if isinstance(error, APIStatusError):
            said = self._without_key(_said(error))
            remedy = {
                401: f"Check the key in {self._key_name or 'api_key_env'}.",
                403: f"Check what the key in {self._key_name or 'api_key_env'} may do.",
                404: "Check base_url and model in autolab.toml.",
            }.get(error.status_code, "Look at the server.")
            return ModelError(f"The server of {self._name} answered {error.status_code}: {said}.", remedy)
        return ModelError(f"The model {self._name} failed ({type(error).__name__}).", retry=True)

    def _without_key(self, text: str) -> str:
        key = os.environ.get(self._key_name, "") if self._key_name else ""
        return text.replace(key, "***") if key else text


def _said(error: APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        body = inner.get("message", inner) if isinstance(inner, dict) else inner
    text = " ".join(str(body or error.message).split()).rstrip(".")
    return text[:200] or "nothing more"


def _estimate(text: str) -> int:
    return len(text) // CHARACTERS_PER_TOKEN


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
