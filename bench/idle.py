"""How much of the slots' time is spent on runs while models think: this lab, and one agent that waits for each run.

    python bench/idle.py [--slots 1 2 8] [--runs 10] [--scale 30]

Runs are programs that sleep (300 s, scaled down), so that eight slots fit on a laptop; think times are 30 to 120 s a
job, scaled down alike and split over the job's calls, drawn from the same seed for both sides. The models are scripted
and sit behind a real HTTP server, so everything else is what a lab does: agents, guard, git, sandbox, supervisors.
Every eighth idea is a win, which makes the patches that were prepared ahead of it stale.

`busy` is the share of slot time with a run on it, from the moment when every slot has had its first screen until the
first slot has done its last. `gap` is what lies between two runs on a slot, in seconds as they passed here.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.roles.openai_server import OpenAIServer, Request, Scripted, calls  # noqa: E402

RUN_SECONDS, LEAST_THINKING, MOST_THINKING = 300.0, 30.0, 120.0
KNOBS = 800
WIN_EVERY = 8
CLI = [sys.executable, "-m", "orchestrator.cli.main"]
ROLES = ("researcher", "planner", "worker", "reviewer", "reporter")

PROGRAM = '''"""Sleeps as long as a training run would take, and scores by its knobs."""
import os
import random
import time

{knobs}

wins = sum(globals()[f"KNOB_{{n}}"] for n in range({every}, {count}, {every}))
others = sum(globals()[f"KNOB_{{n}}"] for n in range({count}) if n % {every})
for tenth in range(1, 11):
    time.sleep({seconds} / 10)
    print(f"done {{tenth * 10}}%", flush=True)
draw = random.Random(int(os.environ["AUTOLAB_SEED"]) * 1000 + wins)
print(f"score = {{10 - wins + 0.5 * (others > 0) + draw.gauss(0, 0.01):.6f}}")
'''


class Thinker:
    """Plays the five roles, each job after its share of thinking."""

    def __init__(self, scale: float, seed: int) -> None:
        self._draw = random.Random(seed)
        self._lock = threading.Lock()
        self._scale = scale
        self._proposed = 0

    def thinking(self) -> float:
        """Seconds of one job, scaled down."""
        with self._lock:
            return self._draw.uniform(LEAST_THINKING, MOST_THINKING) / self._scale

    def __call__(self, request: Request) -> Scripted:
        tools = {tool["function"]["name"] for tool in request.body["tools"]}
        first = len(request.body["messages"]) == 2
        brief = str(request.body["messages"][1]["content"])
        reply = calls(*self._turn(tools, brief, first))
        return replace(reply, wait=self.thinking() / len(reply.pieces) if first else 0.0)  # type: ignore[arg-type]

    def _turn(self, tools: set[str], brief: str, first: bool) -> list[tuple[str, dict[str, Any]]]:
        if "propose" in tools:
            wanted = int(re.findall(r"Propose (\d+)", brief)[0])
            return [self._proposal() for _ in range(wanted)] if first else [("finish", {})]
        if "queue" in tools:
            ids = map(int, re.findall(r"^Experiment (\d+)$", brief, re.MULTILINE))
            queued = [("queue", {"id": one, "priority": 50, "reason": "next"}) for one in ids]
            return queued if first and queued else [("finish", {})]
        if "submit_patch" in tools:
            knob = re.findall(r"Variable: KNOB_(\d+)", brief)[0]
            edit = {"path": "fit.py", "old": f"KNOB_{knob} = 0\n", "new": f"KNOB_{knob} = 1\n"}
            return [("edit_file", edit)] if first else [("submit_patch", {"summary": f"knob {knob}"})]
        if "approve" in tools:
            return [("approve", {"reason": "one change"})]
        if "hand_over" in tools:
            return [("hand_over", {"findings": "as expected", "priorities": []})]
        return [("report", {"works": "all", "does_not_work": "nothing", "looks_wrong": "nothing"})]

    def _proposal(self) -> tuple[str, dict[str, Any]]:
        with self._lock:
            self._proposed += 1
            number = self._proposed
        return "propose", {
            "title": f"Turn knob {number}",
            "hypothesis": f"Knob {number} may matter.",
            "source": "a bench",
            "variable": f"KNOB_{number}",
            "edit": f"set KNOB_{number} to 1",
        }


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares are 0..1, `gap` is in seconds."""

    busy: float
    gap: float
    stale: float | None  # of the patches that were prepared
    runs: int


def ours(directory: Path, slots: int, runs: int, scale: float, seed: int) -> Figures:
    """A lab with a team of scripted models, until so many experiments a slot have come to an outcome."""
    source = directory / "source"
    source.mkdir()
    knobs = "\n\n\n".join(f"KNOB_{number} = 0" for number in range(KNOBS))
    program = PROGRAM.format(knobs=knobs, every=WIN_EVERY, count=KNOBS, seconds=RUN_SECONDS / scale)
    (source / "fit.py").write_text(program)
    for words in (("init", "-q", "-b", "master"), ("add", "."), ("commit", "-q", "-m", "A program")):
        subprocess.run(
            ["git", "-c", "user.name=bench", "-c", "user.email=bench@localhost", *words], cwd=source, check=True
        )
    lab = directory / "lab"
    described = (
        *("--target-command", "python3 fit.py", "--target-editable", "fit.py", "--target-metric", r"score = (\S+)"),
        *("--target-progress", r"done (\d+)%", "--target-budget", str(RUN_SECONDS / scale)),
        *("--target-timeout", str(3 * RUN_SECONDS / scale + 30)),
    )
    subprocess.run(
        [*CLI, "init", str(lab), "--profile", "cpu", "--from", str(source), *described], check=True, stdout=2
    )
    with OpenAIServer(Thinker(scale, seed)) as server:
        text = (lab / "autolab.toml").read_text()
        text = re.sub(r"^slots = .*$", f"slots = {slots}", text, flags=re.MULTILINE)
        for role in ROLES:
            text, found = re.subn(rf"^(# )?{role} = .*$", f'{role} = "served"', text, flags=re.MULTILINE)
            assert found == 1, f"{role} stands {found} times in autolab.toml"
        text += f'\n[models.served]\nkind = "openai"\nbase_url = "{server.url}"\nmodel = "scripted"\n'
        (lab / "autolab.toml").write_text(text)
        subprocess.run([*CLI, "run", str(lab), "--experiments", str(runs * slots)], check=True, stdout=2)
    return figures_of(lab / "runs.db", slots)


def figures_of(database: Path, slots: int) -> Figures:
    """From the lab's own record. The last runs of an order end apart, so time counts until the first slot is done."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT slot, kind, started_at, ended_at FROM runs ORDER BY id").fetchall()
        prepared = connection.execute(
            "SELECT count(*) FROM experiments WHERE commit_id IS NOT NULL AND id > 0"
        ).fetchone()
        rebased = connection.execute(
            "SELECT count(DISTINCT experiment_id) FROM events WHERE reason LIKE '%rebased onto master%'"
            " OR reason LIKE '%goes back to a worker%'"
        ).fetchone()
    spans = [(slot, _seconds(begun), _seconds(ended), kind) for slot, kind, begun, ended in rows if ended]
    names = {span[0] for span in spans}
    begin = max(min(start for slot, start, _, kind in spans if slot == name and kind == "screen") for name in names)
    end = min(max(ended for slot, _, ended, _ in spans if slot == name) for name in names)
    busy, gaps = 0.0, []
    for name in sorted(names):
        own = sorted((start, ended) for slot, start, ended, _ in spans if slot == name)
        busy += sum(max(0.0, min(ended, end) - max(start, begin)) for start, ended in own)
        gaps += [after[0] - before[1] for before, after in itertools.pairwise(own) if begin < after[0] <= end]
    gap = statistics.fmean(gaps) if gaps else 0.0
    return Figures(busy / (slots * (end - begin)), gap, rebased[0] / prepared[0], len(spans))


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()


def one_agent(slots: int, runs: int, scale: float, seed: int) -> Figures:
    """One agent that proposes and patches, waits for the run, and thinks again; the other slots stay empty."""
    thinker = Thinker(scale, seed)
    with OpenAIServer(thinker) as server:
        body = json.dumps(
            {
                "messages": [{"role": "system", "content": ""}, {"role": "user", "content": "Propose 1"}],
                "tools": [{"function": {"name": "propose"}}],
            }
        ).encode()
        begin, busy, gaps = time.monotonic(), 0.0, []
        for _ in range(runs):
            asked = time.monotonic()
            request = urllib.request.Request(
                f"{server.url}/chat/completions", body, {"Content-Type": "application/json"}
            )
            urllib.request.urlopen(request).read()
            gaps.append(time.monotonic() - asked)
            started = time.monotonic()
            time.sleep(RUN_SECONDS / scale)
            busy += time.monotonic() - started
    return Figures(busy / slots / (time.monotonic() - begin), statistics.fmean(gaps), None, runs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--runs", type=int, default=10, help="experiments a slot")
    parser.add_argument("--scale", type=float, default=30.0, help="how many times quicker than life")
    parser.add_argument("--seed", type=int, default=1)
    words = parser.parse_args()
    print(f"runs of {RUN_SECONDS / words.scale:.1f} s, thinking {LEAST_THINKING / words.scale:.1f} to", end=" ")
    print(f"{MOST_THINKING / words.scale:.1f} s a job; {words.runs} experiments a slot")
    print(f"{'slots':>5}  {'who':<12}{'busy':>8}{'gap':>9}{'stale':>8}{'runs':>6}")
    for slots in words.slots:
        with tempfile.TemporaryDirectory() as directory:
            lab = ours(Path(directory), slots, words.runs, words.scale, words.seed)
        agent = one_agent(slots, words.runs, words.scale, words.seed)
        told = f"{lab.busy:>8.1%}{lab.gap:>7.2f} s{lab.stale:>8.0%}{lab.runs:>6}"
        print(f"{slots:>5}  {'this lab':<12}{told}", flush=True)
        print(
            f"{'':>5}  {'one agent':<12}{agent.busy:>8.1%}{agent.gap:>7.2f} s{'-':>8}{agent.runs:>6}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
