"""What is written down of a real model at a role's jobs, and what it amounts to: a line of a JSON Lines file per job.

A job is whole: it ended by a finishing call or with a reason, or it is a fault of the harness. Seconds are as they
passed; tokens are as the server counted them.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FINISHED, DECLINED, GAVE_UP = "finished", "declined", "gave up"
CRASHED, STUCK = "crashed", "stuck"
"""Ends of a job that are bugs of the harness."""
NO_CALL = frozenset({"no_call", "empty", "only_thinking", "call_in_prose", "cut", "repetition"})
"""Troubles that are answered with a nudge; a call in prose is not, once calls are taken from the text."""
FIT, USABLE = 0.9, 0.5
"""Of a role's jobs, finished: what a role needs, and what it takes with another model behind it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply of the model, and what became of it."""

    text: str
    calls: list[list[str]]  # name and arguments, as they were understood
    from_text: int  # of the calls
    outcome: str
    troubles: list[str]
    tokens_in: int
    tokens_out: int
    seconds: float
    finish_reason: str


@dataclass(frozen=True, slots=True)
class JobDone:
    """One job, from its brief to its end."""

    role: str
    title: str
    end: str
    reason: str
    accepted: dict[str, int]  # calls that were carried out, by tool
    turns: list[Turn]
    fresh_contexts: int
    seconds: float


def read(path: Path, role: str) -> list[JobDone]:
    """The jobs of a role that are on record; none where there is no record."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [
        JobDone(**{**line, "turns": [Turn(**turn) for turn in line["turns"]]}) for line in lines if line["role"] == role
    ]


def append(path: Path, job: JobDone) -> None:
    """Put a job on record."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(job), ensure_ascii=False) + "\n")


@dataclass(slots=True)
class Sums:
    """A role's figures."""

    role: str
    jobs: int = 0
    turns: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    nudges: int = 0
    fresh_contexts: int = 0
    calls: int = 0
    text_calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: list[float] = field(default_factory=list)

    @property
    def finished(self) -> float:
        """Of the jobs, 0..1."""
        return self.ends[FINISHED] / self.jobs if self.jobs else 0.0

    @property
    def verdict(self) -> str:
        """What the figures say on giving this role to this model. They say nothing on the worth of what it does."""
        if faults := self.ends[CRASHED] + self.ends[STUCK]:
            return f"the harness failed {faults} times: please report it"
        if not self.jobs:
            return "not tried"
        if self.finished >= FIT:
            return "holds the role"
        if self.finished >= USABLE:
            return "holds it with losses: name a second model behind it"
        return "too weak for the role: name another model"


def summed(role: str, jobs: Sequence[JobDone]) -> Sums:
    """The figures of a role's jobs."""
    sums = Sums(role, len(jobs))
    for job in jobs:
        sums.ends[job.end] += 1
        if job.end not in (FINISHED, DECLINED):
            sums.reasons[job.reason] += 1
        sums.accepted.update(job.accepted)
        sums.fresh_contexts += job.fresh_contexts
        for turn in job.turns:
            sums.turns += 1
            sums.troubles.update(turn.troubles)
            sums.nudges += turn.outcome == "no call"
            sums.calls += len(turn.calls)
            sums.text_calls += turn.from_text
            sums.tokens_in += turn.tokens_in
            sums.tokens_out += turn.tokens_out
            sums.seconds.append(turn.seconds)
    return sums


def table(found: Sequence[Sums]) -> str:
    """The figures of all roles as a Markdown table, a column each, and a verdict for each role below it."""
    rows: list[tuple[str, list[Any]]] = [
        ("replies (turns)", [one.turns for one in found]),
        ("jobs", [one.jobs for one in found]),
        ("finished", [one.ends[FINISHED] for one in found]),
        ("declined by `give_up`", [one.ends[DECLINED] for one in found]),
        ("gave up, with the reason", [one.ends[GAVE_UP] for one in found]),
        ("crashes", [one.ends[CRASHED] for one in found]),
        ("stuck", [one.ends[STUCK] for one in found]),
        ("replies without a call", [one.nudges for one in found]),
        ("fresh contexts", [one.fresh_contexts for one in found]),
        ("calls understood", [one.calls for one in found]),
        ("of these from text", [one.text_calls for one in found]),
        ("calls carried out", [sum(one.accepted.values()) for one in found]),
        ("tokens in", [f"{one.tokens_in:,}" for one in found]),
        ("tokens out", [f"{one.tokens_out:,}" for one in found]),
        ("seconds a turn, median", [f"{statistics.median(one.seconds or [0]):.1f}" for one in found]),
        ("longest turn, seconds", [f"{max(one.seconds, default=0):.1f}" for one in found]),
    ]
    lines = ["| | " + " | ".join(one.role for one in found) + " |", "|---" * (len(found) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(str(value) for value in values) + " |" for name, values in rows]
    for one in found:
        lines += ["", f"{one.role}: {one.verdict}."]
        lines += [f"  troubles: {_listed(one.troubles)}"] if one.troubles else []
        lines += [f"  carried out: {_listed(one.accepted)}"] if one.accepted else []
        lines += [f"  {times} jobs: {reason}" for reason, times in one.reasons.most_common()]
    return "\n".join(lines)


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {times}" for name, times in counted.most_common())
