"""Two teams in one lab, end to end: one conversation behind an OpenAI-compatible server against the control arm."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from roles.chat import Message, ToolCall
from roles.offline.turns import next_turn
from tests.command_line import autolab
from tests.conftest import eventually, set_key
from tests.roles.openai_server import OpenAIServer, Request, Scripted, calls, says

MODEL = """
[models.served]
kind = "openai"
base_url = "{url}"
model = "small-and-open"
price_in = 1.5
price_out = 6

[teams.solo]
model = "served"
wave = 1
[teams.solo.roles.solo]
temperature = 0.9
nudges = 5
"""


class Alone:
    """Answers as the offline model would in one conversation; now and then it stops early, as models do."""

    def __init__(self) -> None:
        self.asked = 0
        self.tools: set[str] = set()
        self.temperatures: set[float] = set()

    def __call__(self, request: Request) -> Scripted:
        self.asked += 1
        tools = {tool["function"]["name"] for tool in request.body["tools"]}
        self.tools |= tools
        self.temperatures.add(request.body["temperature"])
        if self.asked % 4 == 0:
            return says("I have read the file and will now think about it.", "stop")
        turn = next_turn(_messages(request.body["messages"]), tools, 0)
        return calls(*((call.name, json.loads(call.arguments)) for call in turn.calls), text=turn.words)


def _messages(entries: list[dict[str, object]]) -> list[Message]:
    found = []
    for entry in entries:
        made = tuple(
            ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in entry.get("tool_calls") or ()  # type: ignore[attr-defined]
        )
        found.append(Message(entry["role"], entry.get("content") or "", made, entry.get("tool_call_id")))  # type: ignore[arg-type]
    return found


def test_a_team_of_one_on_a_served_model_competes_with_the_control_arm(measured: Path) -> None:
    set_key(measured, "teams", '["solo", "offline"]')
    player = Alone()
    with OpenAIServer(player) as server:
        with (measured / "autolab.toml").open("a") as file:
            file.write(MODEL.format(url=server.url))
        started = autolab("start", str(measured))
        assert started.returncode == 0, started.stderr
        eventually(lambda: _measured(measured) >= {"solo", "offline"}, 540, "an outcome of each team")
        eventually(lambda: _finished(measured) >= {"solo", "offline"}, 120, "a job that each team has finished")
        autolab("stop", "--now", str(measured))
    results = [entry for entry in json.loads(autolab("results", "--json", str(measured)).stdout) if entry["id"]]
    assert len({entry["title"] for entry in results}) == len(results), "neither repeats the other"
    assert {"begin_experiment", "run_experiment", "wait_for_result"} <= player.tools and player.temperatures == {0.9}
    status = json.loads(autolab("status", "--json", str(measured)).stdout)
    assert status["team"] == "solo, offline" and status["tokens"] > 0
    with closing(sqlite3.connect(measured / "runs.db")) as connection:
        agents = dict(connection.execute("SELECT name, team FROM agents"))
        spent = dict(connection.execute("SELECT team, sum(money) FROM calls GROUP BY team"))
        asked = connection.execute("SELECT count(*) FROM calls WHERE troubles LIKE '%no_call%' AND team = 'solo'")
        assert asked.fetchone()[0] >= 1, "it was told to go on, and did"
    assert agents["solo.agent"] == "solo" and agents["offline.worker-1"] == "offline" and "worker-1" not in agents
    assert spent["solo"] > 0 and spent["offline"] == 0
    assert "-> run_experiment" in (measured / ".autolab" / "agents" / "solo.agent.log").read_text()
    merged = subprocess.run(
        ["git", "log", "--all", "--format=%B"], cwd=measured, capture_output=True, text=True, check=True
    ).stdout
    assert "Team: solo" in merged and "Team: offline" in merged
    _compared(measured)
    for to in ("solo", "offline.worker-1", "worker"):
        assert autolab("message", to, "try smaller steps", str(measured)).returncode == 0
    assert "offline.worker-1" in autolab("message", "worker-1", "hello", str(measured)).stderr


def _measured(lab: Path) -> set[str]:
    """The teams with an experiment that ran to its outcome."""
    with closing(sqlite3.connect(lab / "runs.db")) as connection:
        rows = connection.execute(
            "SELECT team FROM experiments WHERE id > 0 AND state IN ('discarded', 'not_confirmed')"
        )
        return {team for (team,) in rows}


def _finished(lab: Path) -> set[str]:
    """The teams with a job that ended as it should."""
    with closing(sqlite3.connect(lab / "runs.db")) as connection:
        return {team for (team,) in connection.execute("SELECT team FROM calls WHERE outcome = 'finished'")}


def _compared(lab: Path) -> None:
    told = json.loads(autolab("compare", "--json", str(lab)).stdout)
    teams = {team["team"]: team for team in told["teams"]}
    assert set(teams) == {"solo", "offline"}
    assert teams["solo"]["outcomes"] >= 1 and teams["solo"]["tokens"] > 0 and teams["solo"]["money"] > 0
    assert teams["offline"]["slot_hours"] > 0 and teams["offline"]["gain_per_money"] is None
    roles = {(one["team"], one["role"], one["model"]) for one in told["roles"]}
    assert ("solo", "solo", "small-and-open") in roles and any(team == "offline" for team, _, _ in roles)
    printed = autolab("compare", str(lab)).stdout
    assert "per slot-hour" in printed and "solo" in printed and "offline" in printed
