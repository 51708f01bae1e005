"""How reliably jobs end by a finishing call, for each team, role and model: the completion rate of `autolab status`
(orchestrator.report.completion), team by team and with an interval."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.comparison.intervals import Estimate, share_of
from orchestrator.report.completion import BUSY, NEEDED, counted
from orchestrator.store.reader import Reader


@dataclass(frozen=True, slots=True)
class Completion:
    """What became of the tries that one model had in one role of one team."""

    team: str
    role: str
    model: str
    finished: int
    failed: int

    @property
    def share(self) -> Estimate | None:
        """The completion rate; None before any try has ended."""
        return share_of(self.finished, self.finished + self.failed)


async def completions_of(reader: Reader) -> list[Completion]:
    """The completion rates of a lab, by team."""
    rows = await reader.rows(
        f"SELECT {', '.join(f'calls.{column}' for column in NEEDED)},"
        " coalesce(nullif(calls.team, ''), agents.team, '') AS team"
        " FROM calls LEFT JOIN agents ON agents.name = calls.agent ORDER BY calls.id"
    )
    given_up = [
        dict(row)
        for row in await reader.rows(
            "SELECT actor AS agent, at FROM events WHERE kind = 'agent' AND reason LIKE 'gave up a job:%' ORDER BY seq"
        )
    ]
    busy = {agent.name for agent in await reader.agents() if agent.state in BUSY}
    by_team: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        by_team.setdefault(str(row["team"]), []).append(dict(row))
    return [
        Completion(team, one.role, one.model, one.finished, one.jobs - one.finished)
        for team, calls in sorted(by_team.items())
        for one in counted(calls, given_up, busy)
    ]
