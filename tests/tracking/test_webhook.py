"""One post to a webhook: taken, worth another try, or not; and never a word of the URL."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from orchestrator.tracking.webhook import Outcome, body_for, post
from tests.tracking.hook_server import SILENCE, Hook, hook_server

ALERT = {
    "id": 12,
    "at": "2026-01-02T03:04:05.678Z",
    "level": "warn",
    "title": "Anomaly",
    "text": "<!channel> @everyone look [here](https://bad) & there",
    "experiment": 3,
    "lab": "my-lab",
}


@pytest.mark.parametrize(
    ("answer", "outcome", "reason", "wait"),
    [
        (204, Outcome.TAKEN, "", 0),
        (500, Outcome.FAILED, "HTTP status 500", 0),
        ((429, {"Retry-After": "7"}), Outcome.FAILED, "HTTP status 429", 7),
        ((503, {"Retry-After": "99999999"}), Outcome.FAILED, "HTTP status 503", 3600),
        ((503, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), Outcome.FAILED, "HTTP status 503", 0),
        (404, Outcome.REFUSED, "HTTP status 404", 0),
        ((302, {"Location": "http://127.0.0.1:1/"}), Outcome.REFUSED, "HTTP status 302", 0),
    ],
)
def test_an_answer_says_whether_to_try_again(answer: object, outcome: Outcome, reason: str, wait: float) -> None:
    with hook_server(Hook([answer])) as hook:  # type: ignore[list-item]
        posted = post(hook.url, ALERT)
    assert (posted.outcome, posted.reason, posted.wait_seconds) == (outcome, reason, wait)


def test_silence_and_a_closed_port_are_worth_another_try() -> None:
    with hook_server(Hook([SILENCE])) as hook:
        assert post(hook.url, ALERT, seconds=0.2).reason == "no answer within 0.2 s"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        posted = post(f"http://127.0.0.1:{probe.getsockname()[1]}/s3cret", ALERT)
    assert (posted.outcome, posted.reason) == (Outcome.FAILED, "no connection (ConnectError)")


@pytest.mark.parametrize("url", ["", "s3cret", "ftp://host/s3cret", "http://", "http://[s3cret/"])
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    posted = post(url, ALERT)
    assert posted.outcome is Outcome.REFUSED and "s3cret" not in posted.reason


def test_anybody_else_gets_plain_values_and_the_program_says_what_came_of_it() -> None:
    with hook_server(Hook()) as hook:
        made = subprocess.run(
            [sys.executable, "-m", "orchestrator.tracking.webhook", "HOOK"],
            input=json.dumps(ALERT),
            capture_output=True,
            text=True,
            env={**os.environ, "HOOK": hook.url},
            check=False,
        )
    assert json.loads(made.stdout) == {"outcome": "taken", "reason": "", "wait_seconds": 0.0}, made.stderr
    assert hook.bodies == [ALERT]
    assert "s3cret" not in made.stdout + made.stderr


def test_slack_and_discord_get_their_own_forms_in_which_nobody_can_be_called() -> None:
    slack = body_for("https://hooks.slack.com/services/T/B/X", ALERT)
    assert slack["text"].endswith("&lt;!channel&gt; @everyone look [here](https://bad) &amp; there")
    assert all("mrkdwn" not in json.dumps(block) for block in slack["blocks"])
    discord = body_for("https://discord.com/api/webhooks/1/x", ALERT)
    assert discord["allowed_mentions"] == {"parse": []}
    assert "\\[here\\]\\(" in discord["embeds"][0]["description"]
    assert body_for("https://discord.com.example.org/api/webhooks/1/x", ALERT) == ALERT
