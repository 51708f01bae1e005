"""One real lab whose model and endpoint misbehave with every other request, each time in another way, and whose server
repeats the key in what it says of its failures: the experiments come to an outcome, and the key stands nowhere."""

from __future__ import annotations

import itertools
import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from roles.offline.scripts import next_turn
from tests.command_line import autolab
from tests.conftest import set_key
from tests.roles.offline_rules import message_of, was_carried_out
from tests.roles.openai_server import (
    DONE,
    OpenAIServer,
    Request,
    Scripted,
    call_pieces,
    calls,
    chunk,
    event,
    fails,
    says,
    text_pieces,
    usage_chunk,
)
from tests.roles.weak_scripts import thought

KEY = "sk-canary-8d1f0c9b2a7e4f5566"
Due = Sequence[tuple[str, dict[str, Any]]]


def written(due: Due, change: Callable[[str, str], tuple[str, str]], finish: str = "tool_calls") -> Scripted:
    """The due calls with their names and arguments changed."""
    pieces: list[bytes] = []
    for index, (name, given) in enumerate(due):
        pieces += call_pieces(index, *change(name, json.dumps(given)), width=40)
    return Scripted([*pieces, chunk({}, finish), usage_chunk(), DONE])


def page(key: str) -> Scripted:
    return Scripted([f"<html>Bad gateway for {key}</html>".encode()], headers={"Content-Type": "text/html"})


WAYS: dict[str, Callable[[Due, str], Scripted]] = {
    "prose": lambda due, key: says("I think I should look at the code first. Shall I go on?"),
    "busy": lambda due, key: fails(503, f"busy, {key}", Retry_After="0"),
    "empty": lambda due, key: says(""),
    "a comma too many": lambda due, key: written(due, lambda name, given: (name, f"{given[:-1]},}}")),
    "cut stream": lambda due, key: Scripted(call_pieces(0, due[0][0], json.dumps(due[0][1]))[:2], end="drop"),
    "another name": lambda due, key: written(due, lambda name, given: (f"functions.{name}", given)),
    "thinking": lambda due, key: thought("Let me see, let me see."),
    "web page": lambda due, key: page(key),
    "unknown tool": lambda due, key: calls(("run_training", {"steps": 5})),
    "no JSON": lambda due, key: written(due[:1], lambda name, given: (name, '{"path": ')),
    "rate limit": lambda due, key: fails(429, f"slow down, {key}", Retry_After="0.05"),
    "wrong arguments": lambda due, key: written(due[:1], lambda name, given: (name, '{"nonsense": [1, 2]}')),
    "repetition": lambda due, key: Scripted(itertools.repeat(chunk({"content": "and again "})), wait=0.0005),
    "error in the stream": lambda due, key: Scripted([event({"error": {"message": f"out of memory, {key}"}})]),
    "Python's quotes": lambda due, key: written(due, lambda name, given: (name, repr(json.loads(given)))),
    "cut in prose": lambda due, key: says("I believe that", "length"),
    "a call twice": lambda due, key: calls(*due[:1], *due),
    "silence": lambda due, key: Scripted(text_pieces("I begin"), end="hang"),
}


class Team:
    """Plays all roles by the offline model's rules; every other request is answered in one of the ways, in turn."""

    def __init__(self) -> None:
        self.ways: Iterator[str] = itertools.cycle(WAYS)
        self.asked = 0
        self.used: set[str] = set()

    def __call__(self, request: Request) -> Scripted:
        self.asked += 1
        tools = {tool["function"]["name"] for tool in request.body["tools"]}
        told = [message_of(one) for one in request.body["messages"]]
        turn = next_turn([one for one in told if was_carried_out(one)], tools, 0)
        due = [(call.name, json.loads(call.arguments)) for call in turn.calls]
        if self.asked % 2:
            return calls(*due, text=turn.words)
        way = next(self.ways)
        self.used.add(way)
        return WAYS[way](due, request.headers["authorization"])


def test_a_lab_finishes_its_experiments_though_every_other_request_goes_wrong_and_keeps_the_key(measured: Path) -> None:
    team = Team()
    with OpenAIServer(team) as server:
        text = (measured / "autolab.toml").read_text()
        text += f'\n[models.weak]\nkind = "openai"\nbase_url = "{server.url}"\nmodel = "weak"\napi_key_env = "CANARY"\n'
        text += "timeout_seconds = 3\n"
        (measured / "autolab.toml").write_text(text)
        for role in ("researcher", "planner", "worker", "reviewer", "reporter"):
            set_key(measured, role, '"weak"')
        set_key(measured, "wave", "1")
        os.environ["CANARY"] = KEY
        try:
            run = autolab("run", str(measured), "--experiments", "3", timeout=420)
            doctor = autolab("doctor", str(measured))
        finally:
            del os.environ["CANARY"]
    assert run.returncode == 0, run.stdout + run.stderr
    assert team.used == set(WAYS)
    with closing(sqlite3.connect(measured / "runs.db")) as connection:
        kept = connection.execute("SELECT troubles, outcome FROM calls").fetchall()
        told = "\n".join(map(str, connection.iterdump()))
    troubles = {name for row in kept for name in json.loads(row[0])}
    assert {
        "no_call",
        "empty",
        "only_thinking",
        "mended_json",
        "mended_name",
        "unknown_tool",
        "broken_json",
    } <= troubles
    assert {"wrong_arguments", "repetition", "cut", "rate_limit", "server_error", "cut_stream"} <= troubles
    status = json.loads(autolab("status", "--json", str(measured)).stdout)
    finished = {one["role"]: one["finished"] for one in status["completion"] if one["model"] == "weak"}
    assert set(finished) == {"researcher", "planner", "worker", "reviewer", "reporter"} and all(finished.values())
    assert "lesson" in told, "each result has its lesson"
    _stands_nowhere(measured, told, run.stdout, run.stderr, doctor.stdout, doctor.stderr)


def _stands_nowhere(lab: Path, *texts: str) -> None:
    """Neither the key nor its beginning, in any text, file or object of the lab."""
    for text in texts:
        assert KEY not in text and KEY[:12] not in text
    for path in lab.rglob("*"):
        if path.is_file():
            assert KEY[:12].encode() not in path.read_bytes(), path
    objects = subprocess.run(
        ["git", "-C", str(lab), "cat-file", "--batch-all-objects", "--batch"], capture_output=True, check=True
    )
    assert KEY[:12].encode() not in objects.stdout
