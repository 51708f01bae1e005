"""Whose turn it is: of teams that compete, the one whose share of slot time so far is smallest.

A team that has nothing to run is passed over and keeps what it is owed; one that joins later begins level with the
others. With runs of unlike length this is what deficit round robin does (Shreedhar and Varghese, 1996).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.context import Context
from orchestrator.store.records import Run, seconds_since, utc_now
from orchestrator.team_settings import Team

JOINED = "slot_seconds_at_start"
"""The key in `meta`, with the team's name: what a team was credited with, in seconds, and at which share."""

AT = " at "


@dataclass(frozen=True, slots=True)
class Account:
    """What a team has had: slot seconds, with what it was credited at its start; `share` is its weight."""

    team: str
    share: float
    seconds: float

    @property
    def level(self) -> float:
        """Seconds for each unit of share."""
        return self.seconds / self.share


def in_turn(accounts: Sequence[Account]) -> list[str]:
    """The teams, who is owed the most first; those alike keep their order."""
    return [account.team for account in sorted(accounts, key=lambda account: account.level)]


def credit(share: float, others: Iterable[Account]) -> float:
    """The seconds that a newcomer begins with, so that it stands level with the lowest of those who are there."""
    return share * min((account.level for account in others), default=0.0)


def slot_seconds(runs: Iterable[tuple[str, Run]], budget: float, now: str) -> dict[str, float]:
    """Wall seconds that each team's runs held a slot, by team.

    A run under way counts for its whole `budget` (seconds) at once: else a team would get every slot that is free now.
    """
    held: dict[str, float] = {}
    for team, run in runs:
        taken = seconds_since(run.started_at, run.ended_at or now)
        held[team] = held.get(team, 0.0) + (taken if run.ended else max(taken, budget))
    return held


async def accounts_of(context: Context) -> list[Account]:
    """The accounts of the teams at work. One that was never seen is credited, and that is kept in the store."""
    held = await _held(context)
    known, new = [], []
    for team in context.settings.teams_at_work:
        joined = await context.store.meta(f"{JOINED}:{team.name}")
        had = held.get(team.name, 0.0)
        if joined:
            known.append(Account(team.name, team.share, had + await _credited(context, team, had, joined)))
        else:
            new.append(team)
    for team in new:
        had = held.get(team.name, 0.0)
        await _credit(context, team, max(0.0, credit(team.share, known) - had) if known else 0.0)
    if new:
        return await accounts_of(context)
    order = {team.name: number for number, team in enumerate(context.settings.teams_at_work)}
    return sorted(known, key=lambda account: order[account.team])


async def _credited(context: Context, team: Team, had: float, joined: str) -> float:
    """Its credit in seconds. With a new share it is another: that holds from now on, and settles no old account."""
    begins, _, share = joined.partition(AT)
    if share in ("", f"{team.share}"):
        if not share:  # as it was written before shares could change under a lab at work
            await _credit(context, team, float(begins))
        return float(begins)
    level = (had + float(begins)) / float(share)
    await _credit(context, team, level * team.share - had)
    return level * team.share - had


async def _credit(context: Context, team: Team, begins: float) -> None:
    await context.store.set_meta(f"{JOINED}:{team.name}", f"{begins}{AT}{team.share}")


async def _held(context: Context) -> Mapping[str, float]:
    """Slot seconds by team: ended runs are summed by the database, the few under way here."""
    store = context.store
    rows = await store.rows(
        "SELECT e.team, sum((julianday(r.ended_at) - julianday(r.started_at)) * 86400.0) AS seconds"
        " FROM runs AS r JOIN experiments AS e ON e.id = r.experiment_id WHERE r.ended_at IS NOT NULL GROUP BY e.team"
    )
    held = {str(row["team"]): float(row["seconds"]) for row in rows}
    underway = [(await team_of(context, run), run) for run in await store.runs_underway()]
    for team, seconds in slot_seconds(underway, context.settings.run.budget_seconds, utc_now()).items():
        held[team] = held.get(team, 0.0) + seconds
    return held


async def team_of(context: Context, run: Run) -> str:
    """The team whose experiment a run measures."""
    row = await context.store.row("SELECT team FROM experiments WHERE id = ?", (run.experiment_id,))
    assert row is not None
    return str(row["team"])
