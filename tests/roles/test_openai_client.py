"""What of the environment a client uses: proxies, OpenAI's own variables, and a key that stands in no text."""

from __future__ import annotations

import json
import traceback
from typing import Literal

import pytest

from roles.errors import ModelError
from roles.openai_client import connected
from tests.roles.asking import ASKED, KEY, TOOLS, ask, model_at
from tests.roles.openai_server import (
    DONE,
    OpenAIServer,
    Scripted,
    call_pieces,
    chunk,
    says,
)


async def test_a_server_on_this_machine_is_reached_without_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with OpenAIServer([says("fine"), says("fine")]) as server:
        assert (await ask(server, retries=0)).text == "fine"
        model = model_at(server.url.replace("127.0.0.1", "localhost"), retries=0)
        assert (await model.reply(ASKED, TOOLS, lambda _: None)).text == "fine"
        await model.aclose()


async def test_a_server_elsewhere_is_reached_through_the_proxy_unless_no_proxy_covers_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with OpenAIServer([says("by the proxy")]) as proxy:
        for name in ("HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, proxy.url.removesuffix("/v1"))
        for covered in ("", "model.invalid"):
            monkeypatch.setenv("NO_PROXY", covered)
            monkeypatch.setenv("no_proxy", covered)
            model = model_at("http://model.invalid/v1", retries=0)
            if covered:
                with pytest.raises(ModelError, match="cannot be reached"):
                    await model.reply(ASKED, TOOLS, lambda _: None)
            else:
                assert (await model.reply(ASKED, TOOLS, lambda _: None)).text == "by the proxy"
            await model.aclose()
    assert [request.headers["host"] for request in proxy.requests] == ["model.invalid"]


async def test_what_the_environment_keeps_for_openai_goes_to_no_other_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "my-organization")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "my-project")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Mine: my-header\nAuthorization: Bearer my-other-key")
    with OpenAIServer([says("fine")]) as server:
        await ask(server, api_key_env="MY_KEY", environment={"MY_KEY": KEY})
    (request,) = server.requests
    assert not any("my-" in value for value in request.headers.values()), request.headers
    assert request.headers["authorization"] == f"Bearer {KEY}"
    client = connected("https://api.openai.com/v1", KEY, 5.0)
    assert (client.organization, client.project) == ("my-organization", "my-project"), "OpenAI itself is told"
    await client.close()


@pytest.mark.parametrize("width", [1, 7, 100])
@pytest.mark.parametrize("end", ["whole", "drop"])
async def test_a_key_that_a_server_sends_back_stands_in_no_text(width: int, end: Literal["whole", "drop"]) -> None:
    said = f"The secret is {KEY}, very much {KEY[:14]} so, and ends in {KEY[-13:]}."
    pieces = [chunk({"content": said[at : at + width]}) for at in range(0, len(said), width)]
    sent = Scripted(
        [
            *pieces,
            *call_pieces(0, "finish", json.dumps({"summary": KEY}), width=width),
            *([chunk({}, "stop"), DONE] if end == "whole" else []),
        ],
        end=end,
    )
    seen: list[str] = []
    with OpenAIServer([sent, says("whole")]) as server:
        reply = await ask(server, seen.append, api_key_env="MY_KEY", environment={"MY_KEY": KEY})
    kept = repr((reply, reply.lost))
    shown = "".join(seen)
    masked = "The secret is ***, very much *** so, and ends in ***."
    assert masked in shown and masked in kept
    assert KEY not in kept and KEY[:14] not in shown + kept and KEY[-13:] not in shown + kept


async def test_a_word_that_stands_for_no_key_is_left_in_what_a_model_says() -> None:
    with OpenAIServer([says("I ran ollama for you.")]) as server:
        reply = await ask(server, api_key_env="MY_KEY", environment={"MY_KEY": "ollama"})
    assert reply.text == "I ran ollama for you."


async def test_a_missing_key_is_told_by_the_name_of_its_variable() -> None:
    with pytest.raises(ModelError) as caught:
        await model_at("http://127.0.0.1:1/v1", api_key_env="MY_KEY", environment={}).reply(ASKED, TOOLS, print)
    assert "MY_KEY, which is not set" in caught.value.sentence
    assert "after `autolab stop`, then `autolab start` from the same shell" in caught.value.remedy


@pytest.mark.parametrize("broken", [f"{KEY}\nexport X=1", f"{KEY}é", f"my key {KEY}"])
async def test_a_variable_that_holds_no_key_is_told_without_what_it_holds(broken: str) -> None:
    model = model_at("http://127.0.0.1:1/v1", api_key_env="MY_KEY", environment={"MY_KEY": broken})
    with pytest.raises(ModelError) as caught:
        await model.reply(ASKED, TOOLS, lambda _: None)
    assert "MY_KEY is no key" in caught.value.sentence
    assert KEY not in "".join(traceback.format_exception(caught.value))
