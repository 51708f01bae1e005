"""`python -m orchestrator.tracking.webhook VARIABLE`: posts one alert, read as JSON from standard input, to the URL in
that environment variable, and prints what came of it as JSON: {"outcome", "reason", "wait_seconds"}.

It is a process of its own so that whatever a far server does (a name that is not resolved, an answer that drips) ends
with its deadline. The URL is a secret: no output and no reason holds it. Trackio's own sender is not used: it tries
once, from a thread that dies with its process, and logs the URL when it fails.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx

POST_SECONDS = 10.0
LONGEST_WAIT_SECONDS = 3600.0
"""No server makes us wait longer than that."""

_MARKS = {"info": "\N{INFORMATION SOURCE}", "warn": "\N{WARNING SIGN}", "error": "\N{POLICE CARS REVOLVING LIGHT}"}
_COLOURS = {"info": 0x3B82F6, "warn": 0xEAB308, "error": 0xDC2626}


class Outcome(StrEnum):
    TAKEN = "taken"
    FAILED = "failed"  # it may work later
    REFUSED = "refused"  # this alert never will


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of it; `wait_seconds` is what the server asks for before the next try, 0 for nothing."""

    outcome: Outcome
    reason: str = ""
    wait_seconds: float = 0.0


def body_for(url: str, alert: Mapping[str, Any]) -> dict[str, Any]:
    """Slack and Discord get their own forms, everybody else plain values with the sentence as `text`.

    Slack: https://api.slack.com/reference/block-kit/blocks; Discord: its developer documentation, "Execute Webhook".
    """
    host, path = (urlsplit(url).hostname or "").lower(), urlsplit(url).path
    head = f"{_MARKS[alert['level']]} {alert['title']} ({alert['level']})"
    foot = f"{alert['lab']}  {str(alert['at'])[:16].replace('T', ' ')} UTC"
    if host == "hooks.slack.com":
        # Plain text throughout: reasons quote agents, who must not be able to mention people or make links.
        return {
            "text": _without_slack_markup(f"{head}: {alert['text']}"),
            "blocks": [
                {"type": "header", "text": {"type": "plain_text", "text": head[:150]}},
                {"type": "section", "text": {"type": "plain_text", "text": alert["text"][:3000] or "-"}},
                {"type": "context", "elements": [{"type": "plain_text", "text": foot[:2000]}]},
            ],
        }
    if host.endswith(("discord.com", "discordapp.com")) and path.startswith("/api/webhooks/"):
        return {
            "allowed_mentions": {"parse": []},
            "embeds": [
                {
                    "title": head[:256],
                    "description": _without_markdown(alert["text"])[:4096],
                    "color": _COLOURS[alert["level"]],
                    "footer": {"text": foot[:2048]},
                }
            ],
        }
    return dict(alert)


def _without_slack_markup(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _without_markdown(text: str) -> str:
    return "".join(f"\\{one}" if one in "\\`*_~|[]()<>#" else one for one in text)


def post(url: str, alert: Mapping[str, Any], seconds: float = POST_SECONDS) -> Posted:
    """Post once. Never raises for what a server or the network does."""
    if not _is_address(url):
        return Posted(Outcome.REFUSED, "the variable holds no http or https address")
    try:
        answer = httpx.post(url, json=body_for(url, alert), timeout=seconds, follow_redirects=False)
    except httpx.TimeoutException:
        return Posted(Outcome.FAILED, f"no answer within {seconds:g} s")
    except httpx.InvalidURL:
        return Posted(Outcome.REFUSED, "the variable holds no http or https address")
    except (httpx.HTTPError, OSError) as error:
        return Posted(Outcome.FAILED, f"no connection ({type(error).__name__})")  # its text may quote the URL
    if answer.is_success:
        return Posted(Outcome.TAKEN)
    reason = f"HTTP status {answer.status_code}"
    if answer.status_code in (408, 425, 429) or answer.status_code >= 500:
        return Posted(Outcome.FAILED, reason, _asked_wait(answer.headers.get("retry-after", "")))
    return Posted(Outcome.REFUSED, reason)


def _is_address(url: str) -> bool:
    try:
        parts: SplitResult = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _asked_wait(text: str) -> float:
    """Retry-After in seconds (RFC 9110, 10.2.3); its other form, a date, is taken as no wish."""
    return min(float(text), LONGEST_WAIT_SECONDS) if text.isascii() and text.isdigit() else 0.0


def main() -> int:
    alert = json.load(sys.stdin)
    print(json.dumps(asdict(post(os.environ.get(sys.argv[1], ""), alert))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
