"""What a server's refusal means: a sentence for people, and whether and when asking again may help."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from roles.errors import ContextFull, ModelError, ToolsRefused
from roles.record import Trouble

if TYPE_CHECKING:
    import openai

PASSING = (408, 409, 425, 429)
"""Statuses that may pass by themselves, besides 5xx."""
_WINDOW = re.compile(
    r"maximum context length (?:is|of) (\d+)|context (?:size|length|window)\D{0,24}(\d+)|(\d+)[- ]token context",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(r"context (?:length|size|window)|too (?:long|many tokens)|exceed_context|prompt is too", re.I)


class Passing(Exception):
    """A failure that may pass; `error` is told if it does not, `wait` is in seconds when the server asked for it."""

    def __init__(self, error: ModelError, trouble: Trouble, wait: float | None = None) -> None:
        super().__init__(error.sentence)
        self.error = error
        self.trouble = trouble
        self.wait = wait


def said_by(error: openai.APIStatusError) -> str:
    """The server's own words."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        body = inner.get("message", inner) if isinstance(inner, dict) else inner
    return str(body or "")


def refusal(
    error: openai.APIStatusError, label: str, said: str, key_env: str | None, with_tools: bool
) -> ModelError | Passing:
    """The error for a status. `said` are the server's words as they may be shown; `with_tools` that tools were sent."""
    status = error.status_code
    key = f"the key in the environment variable {key_env}" if key_env else "api_key_env in autolab.toml"
    kind: type[ModelError] = ModelError
    match status:
        case 401:
            sentence, remedy = "refuses the key (401)", f"Check {key}."
        case 402:
            sentence, remedy = "asks for payment (402)", "Look at the account's credit, or name another model."
        case 403:
            sentence, remedy = "does not allow this (403)", f"Check what {key} may do."
        case 429:
            sentence, remedy = "asks for fewer requests (429)", "Wait, use fewer workers, or another model."
        case 400 | 404 | 422 | 501 if with_tools and "tool" in said.lower():
            sentence, kind = f"refuses the request ({status})", ToolsRefused
            remedy = "Start the server with tool calls (vLLM: --enable-auto-tool-choice, llama.cpp: --jinja)."
        case 404:
            sentence, remedy = "is not there (404)", "Check base_url and model in autolab.toml."
        case 400 | 413 | 422:
            sentence = f"refuses the request ({status})"
            remedy = "Check that the model can hold a conversation of this length."
        case _:
            sentence, remedy = f"fails ({status})", "Look at the server."
    told = f"{label} {sentence}: {said}." if said else f"{label} {sentence}."
    if status in (400, 413, 422, 500) and kind is ModelError and (status == 413 or _TOO_LONG.search(_all(error))):
        return ContextFull(told, remedy, _limit(error))
    found = kind(told, remedy)
    if (status in PASSING or status >= 500) and error.response.headers.get("x-should-retry") != "false":
        trouble = Trouble.RATE_LIMIT if status == 429 else Trouble.SERVER_ERROR
        return Passing(found, trouble, asked_to_wait(error.response.headers, time.time()))
    return found


def asked_to_wait(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds of Retry-After: a number, or a date (RFC 9110, section 10.2.3); None when the server asks for none.

    `now` is in seconds since 1970.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        given = headers.get(name)
        if given is None:
            continue
        try:
            seconds = float(given) / unit
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(given).timestamp() - now
            except ValueError:
                continue
        if seconds == seconds:
            return max(0.0, seconds)
    return None


def _all(error: openai.APIStatusError) -> str:
    return str(error.body or "")


def _limit(error: openai.APIStatusError) -> int | None:
    """The window that the server told, in tokens."""
    body: Any = error.body
    inner = body.get("error", body) if isinstance(body, dict) else None
    told = inner.get("n_ctx") if isinstance(inner, dict) else None  # llama.cpp
    if isinstance(told, int) and told > 0:
        return told
    found = _WINDOW.search(_all(error))
    return int(next(group for group in found.groups() if group)) if found else None
