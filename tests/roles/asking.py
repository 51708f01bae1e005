"""Asking a scripted server through the OpenAI-compatible client, for the tests of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from roles.chat import Message, Reply
from roles.errors import ModelError
from roles.openai_model import OpenAIModel
from roles.tools import spec_of
from tests.roles.openai_server import (
    OpenAIServer,
)

KEY = "sk-very-secret-0123456789"
ASKED = (Message("system", "You are a test."), Message("user", "Go on."))
TOOLS = (spec_of("propose"), spec_of("finish"))


def model_at(url: str, **more: Any) -> OpenAIModel:
    settings: dict[str, Any] = {"timeout_seconds": 5, "retries": 2, "retry_seconds": 0.01, **more}
    return OpenAIModel(name="test", base_url=url, model="scripted", **settings)


async def ask(server: OpenAIServer, on_text: Callable[[str], None] = lambda _: None, **more: Any) -> Reply:
    model = model_at(server.url, **more)
    try:
        return await model.reply(ASKED, TOOLS, on_text)
    finally:
        await model.aclose()


async def failure(server: OpenAIServer, **more: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        await ask(server, **more)
    return caught.value
