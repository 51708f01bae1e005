"""Does a lab finish its experiments with a model that misbehaves? Each way in a lab of its own, with all five roles.

    python bench/weak_lab.py [--only PIECE] [--experiments N] [--json FILE]

A scripted server over HTTP plays every role by the rules of the offline model, and misbehaves in the ways of
tests/roles/misbehaviours.py: in every job, at those requests of it at which the script says so. A way of which no reply
is ever of use has the offline model to fall back on, as a person would have another model. The labs are real ones of
the CPU profile with a budget of one second, and a baseline on record that nothing beats. What is printed: experiments
that came to an outcome, jobs that the model finished of those it began, jobs that another model had to finish, the
troubles that were counted, and seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from orchestrator.create import create_lab  # noqa: E402
from orchestrator.lab import Lab  # noqa: E402
from orchestrator.store.states import RAN  # noqa: E402
from roles.chat import Message, ToolCall  # noqa: E402
from roles.offline.scripts import next_turn  # noqa: E402
from roles.offline.transcript import calls  # noqa: E402
from roles.text_calls import ANSWER, calls_in  # noqa: E402
from tests.conftest import record_baseline, set_key  # noqa: E402
from tests.roles.misbehaviours import MISBEHAVIOURS, Misbehaviour  # noqa: E402
from tests.roles.offline_rules import message_of, was_carried_out  # noqa: E402
from tests.roles.openai_server import OpenAIServer, Request, Scripted  # noqa: E402
from tests.roles.weak_scripts import right, turns_by  # noqa: E402

AUTOLAB = [sys.executable, "-m", "orchestrator.cli.main"]
OUTCOMES = {state.value for state in RAN}
ROLES = ("researcher", "planner", "worker", "reviewer", "reporter")
LONGEST = 150.0
SETTINGS = {"timeout_seconds": 3, "longest_seconds": 20}


Call = tuple[str, dict[str, Any]]


def due(request: Request) -> list[Call]:
    """The calls that the offline model would make now, whichever way the tools are offered."""
    entries = request.body["messages"]
    if "tools" in request.body:
        tools = {tool["function"]["name"] for tool in request.body["tools"]}
        messages = [message_of(one) for one in entries]
    else:
        tools = set(re.findall(r"^(\w+): .*\nits arguments, as a JSON schema", entries[0]["content"], re.MULTILINE))
        messages = _from_text(entries, sorted(tools))
    return _next_calls(messages, tools)


def _next_calls(messages: list[Message], tools: set[str]) -> list[Call]:
    """The rules make several calls in a turn: those of them that were not carried out yet."""
    made = calls([one for one in messages if was_carried_out(one)])
    replayed = messages[:2]
    while True:
        turn = next_turn(replayed, tools, 0)
        missing: list[Call] = []
        answers: list[Message] = []
        for call in turn.calls:
            given = json.loads(call.arguments)
            same = next((one for one in made if (one.name, one.arguments) == (call.name, given)), None)
            if same is None:
                missing.append((call.name, given))
            else:
                made.remove(same)
                answers.append(Message("tool", same.answer, tool_call_id=call.id))
        if missing:
            return missing
        replayed = [*replayed, Message("assistant", turn.words, turn.calls), *answers]


def _from_text(entries: list[dict[str, Any]], tools: list[str]) -> list[Message]:
    """The same conversation with calls and answers as such."""
    found: list[Message] = []
    waiting: list[str] = []
    for number, entry in enumerate(entries):
        if entry["role"] == "assistant":
            _, written = calls_in(entry["content"], tools)
            written_calls = tuple(ToolCall(f"{number}.{n}", *call) for n, call in enumerate(written))
            waiting = [call.id for call in written_calls]
            found.append(Message("assistant", entry["content"], written_calls))
        elif entry["role"] == "user" and waiting:
            parts = re.split(rf"^{re.escape(ANSWER)}\w+\]\n", entry["content"], flags=re.MULTILINE)[1:]
            found += [
                Message("tool", part.rstrip("\n"), tool_call_id=id) for id, part in zip(waiting, parts, strict=False)
            ]
        else:
            found.append(Message(entry["role"], entry["content"]))
    return found


class Weak:
    """All roles by rule, but for what the misbehaviour's script says of each job's requests."""

    def __init__(self, bad: Misbehaviour) -> None:
        self._bad, self._asked, self._lock = bad, Counter[str](), threading.Lock()

    def __call__(self, request: Request) -> Scripted:
        system, brief = (str(one["content"]) for one in request.body["messages"][:2])
        job = f"{system[:100]} {brief[:400]}"
        with self._lock:
            number = self._asked[job]
            self._asked[job] += 1
        return self._bad.script(request, number) or right(request)


@dataclass(frozen=True)
class Came:
    """What came of a lab."""

    experiments: int
    finished: int
    begun: int
    by_another: int
    troubles: dict[str, int]
    seconds: float
    said: str


async def lab_with(root: Path, bad: Misbehaviour, url: str) -> None:
    await create_lab(root, "cpu")
    set_key(root, "budget_seconds", "1")
    set_key(root, "slots", "1")
    set_key(root, "wave", "1")
    for role in ROLES:
        set_key(root, role, '["weak", "offline"]' if bad.ends else '"weak"')
    settings = {"kind": "openai", "base_url": url, "model": "weak", **SETTINGS, **dict(bad.settings)}
    temperature = settings.pop("temperature", None)  # in a lab that is the role's
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items())
    with (root / "autolab.toml").open("a") as file:
        file.write(f"\n[models.weak]\n{lines}")
        for role in ROLES if temperature is not None else ():
            file.write(f"\n[team.roles.{role}]\ntemperature = {temperature}\n")
    await record_baseline(Lab(root))


def tried(bad: Misbehaviour, experiments: int) -> Came:
    """One lab with it, until so many experiments have come to an outcome, or too long."""
    with tempfile.TemporaryDirectory() as directory, OpenAIServer(Weak(bad)) as server, turns_by(due):
        root = Path(directory) / "lab"
        asyncio.run(lab_with(root, bad, server.url))
        begun = time.monotonic()
        words = [*AUTOLAB, "run", str(root), "--experiments", str(experiments)]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST, cwd=ROOT, check=False)
            said = "" if done.returncode == 0 else (done.stderr.strip() or done.stdout.strip().splitlines()[-1])
        except subprocess.TimeoutExpired:
            said = f"not within {LONGEST:g} s"
            subprocess.run([*AUTOLAB, "stop", "--now", str(root)], capture_output=True, cwd=ROOT, check=False)
        return _came(root, time.monotonic() - begun, said)


def _came(root: Path, seconds: float, said: str) -> Came:
    told = subprocess.run([*AUTOLAB, "status", "--json", str(root)], capture_output=True, cwd=ROOT, check=True)
    status = json.loads(told.stdout)
    experiments = sum(count for state, count in status["counts"].items() if state in OUTCOMES) - 1  # the start
    weak = [one for one in status["completion"] if one["model"] == "weak"]
    others = sum(one["finished"] for one in status["completion"] if one["model"] != "weak")
    with closing(sqlite3.connect(root / "runs.db")) as database:
        kept = database.execute("SELECT troubles FROM calls WHERE model = 'weak'").fetchall()
    troubles = Counter(name for (names,) in kept for name in json.loads(names))
    finished, begun = sum(one["finished"] for one in weak), sum(one["jobs"] for one in weak)
    return Came(experiments, finished, begun, others, dict(troubles), seconds, said)


def main() -> int:
    """Print a line for each way; 1 when a lab did not finish its experiments."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="misbehaviours whose name has this in it")
    parser.add_argument("--experiments", type=int, default=1, help="that each lab is asked for")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    chosen = {name: bad for name, bad in MISBEHAVIOURS.items() if options.only in name}
    if not chosen:
        parser.error(f"no misbehaviour has {options.only!r} in its name")
    found: dict[str, Came] = {}
    print(f"{'misbehaviour':46}{'experiments':>12}{'jobs finished':>15}{'by another':>11}{'seconds':>9}  troubles")
    for name, bad in chosen.items():
        came = found[name] = tried(bad, options.experiments)
        troubles = ", ".join(f"{count} {kind}" for kind, count in sorted(came.troubles.items()))
        jobs = f"{came.finished} of {came.begun}"
        print(f"{name:46}{came.experiments:>12}{jobs:>15}{came.by_another:>11}{came.seconds:>9.0f}  {troubles}")
        print(f"    {came.said}\n" if came.said else "", end="", flush=True)
    missing = [name for name, came in found.items() if came.experiments < options.experiments]
    print(f"{len(found) - len(missing)} of {len(found)} labs finished their experiments")
    if options.json:
        options.json.write_text(json.dumps({name: asdict(came) for name, came in found.items()}))
    return 1 if missing else 0


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())
