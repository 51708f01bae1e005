"""The completion rate: of the jobs that a model was given in a role, how many it brought to their end.

It is read from the calls that are kept. The calls of one agent at one job by one model, without a break, are one try;
it is complete when one of them finished the job. A try that is still going on, or that was taken away, does not count;
nor does one in which no reply ever came, for want of a key or of a server: it tells nothing of the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.store.reader import Reader
from roles.record import Outcome, Trouble

BUSY = ("thinking", "calling", "waiting", "paused")
"""States of an agent that may be in the middle of a try; one that waits may wait for the result of its experiment."""

NEEDED = ("agent", "at", "role", "job", "experiment_id", "model", "outcome", "troubles")
"""The columns of a call that tries are counted from."""


@dataclass(frozen=True, slots=True)
class Completion:
    """Of one role and model: tries that ended, and those of them that finished the job."""

    role: str
    model: str
    jobs: int
    finished: int

    @property
    def rate(self) -> float:
        return self.finished / self.jobs

    def as_json(self) -> dict[str, Any]:
        return {
            "role": self.role,
            "model": self.model,
            "jobs": self.jobs,
            "finished": self.finished,
            "rate": round(self.rate, 4),
        }


async def completions(reader: Reader) -> list[Completion]:
    """Every role and model that has ended a try, by role."""
    calls = await reader.rows(f"SELECT {', '.join(NEEDED)} FROM calls ORDER BY id")
    given_up = await reader.rows(
        "SELECT actor AS agent, at FROM events WHERE kind = 'agent' AND reason LIKE 'gave up a job:%' ORDER BY seq"
    )
    busy = {agent.name for agent in await reader.agents() if agent.state in BUSY}
    return counted([dict(row) for row in calls], [dict(row) for row in given_up], busy)


def counted(
    calls: Iterable[Mapping[str, Any]], given_up: Iterable[Mapping[str, Any]], busy: Iterable[str] = ()
) -> list[Completion]:
    """From the calls and the jobs given up, each in their order; `busy` agents may be in the middle of a try."""
    ended: dict[tuple[str, str], list[bool]] = {}
    open_tries: dict[str, tuple[tuple[Any, ...], list[Mapping[str, Any]]]] = {}  # by agent: which try, and its calls
    breaks = [(str(one["at"]), 1, one) for one in given_up]
    steps = sorted([(str(one["at"]), 0, one) for one in calls] + breaks, key=lambda step: step[:2])

    def close(agent: str) -> None:
        which, tried = open_tries.pop(agent)
        last = tried[-1]["outcome"]
        if last != Outcome.CANCELLED and any(map(_tells, tried)):
            ended.setdefault((which[0], which[1]), []).append(last == Outcome.FINISHED)

    for _, is_break, one in steps:
        agent = str(one["agent"])
        if is_break:
            if agent in open_tries:
                close(agent)
            continue
        which = (str(one["role"]), str(one["model"]), one["job"], one["experiment_id"])
        if agent in open_tries and open_tries[agent][0] != which:
            close(agent)
        open_tries.setdefault(agent, (which, []))[1].append(one)
        if one["outcome"] in (Outcome.FINISHED, Outcome.CANCELLED):
            close(agent)
    for agent in list(open_tries):
        if agent not in set(busy):
            close(agent)
    return [Completion(*key, len(tries), sum(tries)) for key, tries in sorted(ended.items())]


def _tells(call: Mapping[str, Any]) -> bool:
    """Whether a call tells something of the model: there was a reply, or its window had no room for the job."""
    return call["outcome"] != Outcome.FAILED or Trouble.CONTEXT_FULL in json.loads(call["troubles"])
