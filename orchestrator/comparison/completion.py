"""How reliably jobs end by a finishing call, for each team, role and model, from the calls that are kept.

A model's part of a job begins with its first call and ends well with a finishing call. It ends badly when the agent
gives the job up, or when the next model takes over. A part that was cut off from outside (the daemon ended, a person
took the job away) is counted neither way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.comparison.intervals import Estimate, share_of
from orchestrator.store.reader import Reader


@dataclass(frozen=True, slots=True)
class Completion:
    """What became of the parts of jobs that one model had in one role of one team."""

    team: str
    role: str
    model: str
    finished: int
    failed: int

    @property
    def share(self) -> Estimate | None:
        """The completion rate; None before any part has ended."""
        return share_of(self.finished, self.finished + self.failed)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that tells of a part: a call with its outcome, or the giving up of the job (no model)."""

    agent: str
    team: str = ""
    role: str = ""
    model: str = ""
    job: str = ""
    outcome: str = ""  # roles.record.Outcome, GAVE_UP or BEGAN


GAVE_UP = "gave up"
BEGAN = "the lab began"
"""Of no agent: whatever was under way before was cut off."""


def completions(steps: Iterable[Step]) -> list[Completion]:
    """The tallies of steps in the order in which they happened, by team, role and model."""
    open_parts: dict[str, Step] = {}
    finished: Counter[tuple[str, str, str]] = Counter()
    failed: Counter[tuple[str, str, str]] = Counter()
    for step in steps:
        if step.outcome == BEGAN:
            open_parts.clear()
            continue
        before = open_parts.pop(step.agent, None)
        if step.outcome == GAVE_UP:
            if before is not None:
                failed[before.team, before.role, before.model] += 1
            continue
        if before is not None and before.job == step.job and before.model != step.model:
            failed[before.team, before.role, before.model] += 1  # the next model took over
        if step.outcome == "finished":
            finished[step.team, step.role, step.model] += 1
        elif step.outcome != "cancelled":
            open_parts[step.agent] = step
    keys = sorted({*finished, *failed})
    return [Completion(*key, finished[key], failed[key]) for key in keys]


async def completions_of(reader: Reader) -> list[Completion]:
    """The completion rates of a lab."""
    rows = await reader.rows(
        "SELECT at, 0 AS kind, id AS number, agent, coalesce(nullif(calls.team, ''), agents.team, '') AS team,"
        " calls.role AS role, calls.model AS model, calls.job AS job, outcome"
        " FROM calls LEFT JOIN agents ON agents.name = calls.agent"
        " UNION ALL SELECT at, 1, seq, actor, '', '', '', '', ? FROM events"
        " WHERE kind = 'agent' AND reason LIKE 'gave up a job:%'"
        " UNION ALL SELECT at, 1, seq, '', '', '', '', '', ? FROM events"
        " WHERE kind = 'lab' AND reason = 'the lab goes to work'"
        " ORDER BY at, kind, number",
        (GAVE_UP, BEGAN),
    )
    return completions(
        Step(row["agent"], row["team"], row["role"], row["model"], row["job"], row["outcome"]) for row in rows
    )
