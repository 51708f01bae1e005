"""The teams of a lab side by side, from the store alone: a team long gone is compared with those at work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from orchestrator.comparison.completion import Completion, completions_of
from orchestrator.comparison.intervals import CONFIDENCE, Draws, Estimate, around, rate, resampled, share_of
from orchestrator.gains import beliefs_of
from orchestrator.store.reader import Reader
from orchestrator.store.records import Decision, utc_now
from orchestrator.store.states import ENDED, RAN
from orchestrator.team_settings import PERSON

NOBODY = (PERSON, "none", "")
"""What stands for a team where there is none."""


@dataclass(frozen=True, slots=True)
class TeamFigures:
    """One team. Gains are bits per byte, positive is better; money is in the currency of the prices.

    Intervals of gains are bootstrapped over the team's experiments that ran; that of the gain for its money takes the
    money as it is, for most of it is spent on no single experiment.
    """

    team: str
    line: str  # whose master: the team's own, by its name, or the lab's ("")
    outcomes: int  # experiments that ran to an outcome
    promotions: int
    promotion_share: Estimate | None  # of the outcomes
    raw_gain: float
    believed_gain: Estimate  # what the winner's curse leaves of it
    slot_hours: float
    gain_per_slot_hour: Estimate | None  # believed; None before there was any slot time
    money: float
    gain_per_money: Estimate | None  # believed; None when nothing was paid
    tokens: int
    leads: float | None  # probability that its gain per slot-hour is the highest of all; None for a team alone


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every team, the best gain per slot-hour first, and how reliably the jobs of each role end with each model."""

    teams: tuple[TeamFigures, ...]
    completions: tuple[Completion, ...]


@dataclass(frozen=True, slots=True)
class _Tried:
    """One experiment of a team: whether it ran to an outcome, what it brought, and what it cost in slot seconds."""

    team: str
    line: str
    ran: bool
    promoted: bool
    raw: float
    believed: float
    seconds: float


async def comparison_of(reader: Reader) -> Comparison:
    """How the teams of a lab stand. Raises LabError when the store cannot be read."""
    tried = await _tried(reader)
    spent = {
        str(row["team"]): (int(row["tokens"]), float(row["money"]))
        for row in await reader.rows(
            "SELECT coalesce(nullif(calls.team, ''), agents.team, '') AS team, sum(calls.tokens_in + calls.tokens_out)"
            " AS tokens, sum(calls.money) AS money FROM calls LEFT JOIN agents ON agents.name = calls.agent GROUP BY 1"
        )
    }
    names = [name for name in Counter([one.team for one in tried]) if name not in NOBODY]
    names += [agent.team for agent in await reader.agents() if agent.team not in NOBODY]
    names = list(dict.fromkeys([*names, *(name for name in spent if name not in NOBODY)]))
    draws = {name: _draws(name, tried) for name in names}
    leads = _leads({name: rate(gains, seconds) for name, (gains, seconds) in draws.items()})
    teams = [_figures(name, tried, draws[name], *spent.get(name, (0, 0.0)), leads.get(name)) for name in names]
    teams.sort(key=lambda one: (one.gain_per_slot_hour is None, -_value(one.gain_per_slot_hour), one.team))
    return Comparison(tuple(teams), tuple(await completions_of(reader)))


async def _tried(reader: Reader) -> list[_Tried]:
    beliefs = await beliefs_of(reader)
    now = utc_now()
    rows = await reader.rows(
        "SELECT e.id, e.team, e.line, e.state, e.delta, e.decision, count(r.id) AS runs,"
        " coalesce(sum((julianday(coalesce(r.ended_at, ?)) - julianday(r.started_at)) * 86400.0), 0) AS seconds"
        " FROM experiments AS e LEFT JOIN runs AS r ON r.experiment_id = e.id"
        " WHERE e.id > 0 AND ifnull(e.branch, '') != 'master' GROUP BY e.id ORDER BY e.id",
        (now,),
    )
    found = []
    for row in rows:
        # What a person had merged whatever it scores is no win of the team.
        won = row["state"] == "promoted" and row["delta"] is not None and row["decision"] == Decision.NONE
        believed = beliefs[row["id"]].gain if won and row["id"] in beliefs else 0.0
        found.append(
            _Tried(
                team=str(row["team"]),
                line=str(row["line"]),
                ran=row["state"] in RAN or (row["state"] in ENDED and row["runs"] > 0),
                promoted=won,
                raw=-float(row["delta"]) if won else 0.0,
                believed=believed,
                seconds=max(0.0, float(row["seconds"])),
            )
        )
    return found


def _draws(name: str, tried: Sequence[_Tried]) -> tuple[Draws, Draws]:
    return resampled([(one.believed, one.seconds) for one in tried if one.team == name and one.ran], name)


def _figures(
    name: str,
    tried: Sequence[_Tried],
    draws: tuple[Draws, Draws],
    tokens: int,
    money: float,
    leads: float | None,
) -> TeamFigures:
    own = [one for one in tried if one.team == name]
    ran = [one for one in own if one.ran]
    gain = sum(one.believed for one in ran)
    hours = sum(one.seconds for one in own) / 3600
    ended_hours = sum(one.seconds for one in ran) / 3600
    gains, seconds = draws
    promotions = sum(one.promoted for one in ran)
    return TeamFigures(
        team=name,
        line=own[-1].line if own else "",
        outcomes=len(ran),
        promotions=promotions,
        promotion_share=share_of(promotions, len(ran)),
        raw_gain=sum(one.raw for one in ran),
        believed_gain=around(gain, gains),
        slot_hours=hours,
        gain_per_slot_hour=around(gain / ended_hours, rate(gains, seconds / 3600)) if ended_hours > 0 else None,
        money=money,
        gain_per_money=around(gain / money, gains / money) if money > 0 else None,
        tokens=tokens,
        leads=leads,
    )


def _leads(rates: dict[str, Draws]) -> dict[str, float]:
    """How often each team has the highest rate of all, where several have run; a tie is shared."""
    competing = {name: draws for name, draws in rates.items() if draws.any()}
    if len(rates) < 2 or not competing:
        return {}
    table = np.stack([rates[name] for name in rates])
    best = table == table.max(axis=0)
    shares = (best / best.sum(axis=0)).mean(axis=1)
    return {name: float(share) for name, share in zip(rates, shares, strict=True)}


def _value(estimate: Estimate | None) -> float:
    return 0.0 if estimate is None else estimate.value


def comparison_json(found: Comparison) -> dict[str, Any]:
    """`autolab compare --json`."""
    return {
        "confidence": CONFIDENCE,
        "teams": [asdict(team) for team in found.teams],
        "roles": [
            {**asdict(one), "share": None if one.share is None else asdict(one.share)} for one in found.completions
        ],
    }
