"""A team on an OpenAI-compatible server: the same tools, the same lab, over real HTTP with streamed tool calls.

The server answers each request as the offline model would, so that the whole way through the client is walked: five
roles, streamed arguments, tool answers, usage. Some of its replies are broken as real servers break them.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from roles.chat import Message, ToolCall
from roles.offline.scripts import next_turn
from tests.command_line import autolab
from tests.conftest import eventually, set_key
from tests.roles.openai_server import OpenAIServer, Request, Scripted, calls, fails, says


def _messages(body: dict[str, object]) -> list[Message]:
    found = []
    for entry in body["messages"]:  # type: ignore[attr-defined]
        made = tuple(
            ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in entry.get("tool_calls") or ()
        )
        found.append(Message(entry["role"], entry.get("content") or "", made, entry.get("tool_call_id")))
    return found


class Player:
    """Plays all five roles; every seventh reply is broken in a different way."""

    def __init__(self) -> None:
        self.asked = 0
        self.roles: set[str] = set()

    def __call__(self, request: Request) -> Scripted:
        self.asked += 1
        tools = {tool["function"]["name"] for tool in request.body["tools"]}
        self.roles |= tools & {"propose", "queue", "submit_patch", "approve", "hand_over", "report"}
        if self.asked % 7 == 0:
            return (fails(503, "busy", Retry_After="0"), says("I think I should look at the code.", "stop"))[
                self.asked // 7 % 2
            ]
        turn = next_turn(_messages(request.body), tools, 0)
        return calls(*((call.name, json.loads(call.arguments)) for call in turn.calls), text=turn.words)


def test_a_team_behind_an_openai_server_brings_experiments_to_an_outcome(measured: Path) -> None:
    lab = measured
    player = Player()
    with OpenAIServer(player) as server:
        text = (lab / "autolab.toml").read_text()
        text += f'\n[models.served]\nkind = "openai"\nbase_url = "{server.url}"\nmodel = "small-and-open"\n'
        text += "price_in = 1.5\nprice_out = 6\n"
        (lab / "autolab.toml").write_text(text)
        for role in ("researcher", "planner", "worker", "reviewer", "reporter"):
            set_key(lab, role, '"served"')
        set_key(lab, "name", '"served"')
        set_key(lab, "wave", "1")
        run = autolab("run", str(lab), "--experiments", "2", timeout=280)
    assert run.returncode == 0, run.stdout + run.stderr
    assert {"propose", "queue", "submit_patch", "approve", "hand_over"} <= player.roles
    results = json.loads(autolab("results", "--json", str(lab)).stdout)
    assert {entry["team"] for entry in results if entry["id"]} == {"served"}
    status = json.loads(autolab("status", "--json", str(lab)).stdout)
    assert status["tokens"] > 0 and status["team"] == "served"
    with closing(sqlite3.connect(lab / "runs.db")) as connection:
        kept = connection.execute("SELECT role, model, tokens_in, money, outcome, prompt_hash FROM calls").fetchall()
    assert {role for role, *_ in kept} == {"researcher", "planner", "worker", "reviewer", "reporter"}
    assert all(model == "small-and-open" and len(prompt) == 64 for _, model, _, _, _, prompt in kept)
    assert sum(money for *_, money, _, _ in kept) > 0 and {"finished", "no call"} <= {row[4] for row in kept}


def test_a_team_whose_tokens_are_spent_rests_and_says_why(measured: Path) -> None:
    with OpenAIServer(Player()) as server:
        text = (measured / "autolab.toml").read_text()
        text += f'\n[models.served]\nkind = "openai"\nbase_url = "{server.url}"\nmodel = "small-and-open"\n'
        (measured / "autolab.toml").write_text(text)
        set_key(measured, "researcher", '["served", "offline"]')
        set_key(measured, "budget_tokens", "100")
        started = autolab("start", str(measured))
        assert started.returncode == 0, started.stderr
        eventually(lambda: _rests(measured), 60, "the rest")
        asked = len(server.requests)
        autolab("stop", "--now", str(measured))
    assert asked < 10, "no new job begins"


def _rests(lab: Path) -> bool:
    with closing(sqlite3.connect(lab / "runs.db")) as connection:
        rows = connection.execute("SELECT reason FROM events WHERE kind = 'anomaly' AND reason LIKE 'the team rests%'")
        return any("100 tokens are spent" in reason for (reason,) in rows)
