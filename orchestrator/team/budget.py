"""What a team may spend: tokens, money and hours; after that it begins no more jobs, and says why."""

from __future__ import annotations

import asyncio
import time

from orchestrator.context import Context
from orchestrator.store.records import Level
from orchestrator.views import SPENT

WORKED = "seconds_at_work"
"""The key in `meta` (by team, see Team.key) of the time that a team with a budget of hours has been at work."""

LOOK_SECONDS = 1.0
KEPT_SECONDS = 30.0
"""So much of the time at work may be lost with a daemon that is killed."""


class Budget:
    """Looks at what the models of one team have taken so far. What runs goes on; what is ready still runs."""

    def __init__(self, context: Context) -> None:
        """`context` is in the team's hands."""
        self._context = context
        self._looking = asyncio.Lock()
        self._looked: float | None = None  # on the monotonic clock
        self._reason: str | None = None  # None: nobody has looked since the start; empty: it may go on
        self._worked = 0.0
        self._kept = 0.0  # how much of that stands in the store

    async def spent(self) -> str | None:
        """Why the team rests, in a sentence; None while it may go on. An event tells of it, once in each daemon."""
        async with self._looking:  # every agent of the team asks
            now = time.monotonic()
            if self._looked is None or now - self._looked >= LOOK_SECONDS:
                await self._count_hours(0.0 if self._looked is None else now - self._looked)
                reason = await self._look()
                if reason != self._reason:
                    await self._tell(reason)
                self._reason, self._looked = reason, now
            return self._reason or None

    async def _count_hours(self, passed: float) -> None:
        """Add the time since the last look: a team that rests, a lab that is off and a machine asleep spend none."""
        store, key = self._context.store, self._context.team.key(WORKED)
        if self._reason is None:
            self._worked = self._kept = float(await store.meta(key) or 0.0)
        elif not self._reason:
            self._worked += passed
        if self._context.team.budget_hours and self._worked - self._kept >= KEPT_SECONDS:
            await store.set_meta(key, f"{self._worked:.0f}")
            self._kept = self._worked

    async def _look(self) -> str:
        team, store = self._context.team, self._context.store
        if team.budget_hours and self._worked >= team.budget_hours * 3600:
            return f"its {team.budget_hours:g} hours at work are over"
        if not (team.budget_tokens or team.budget_money):
            return ""
        # Calls from before teams were told apart have no team; they were those of the one there was.
        row = await store.row(
            "SELECT coalesce(sum(tokens_in + tokens_out), 0) AS tokens, coalesce(sum(money), 0) AS money"
            " FROM calls WHERE team = ? OR (? AND team = '')",
            (team.name, team.alone),
        )
        assert row is not None
        if team.budget_tokens and row["tokens"] >= team.budget_tokens:
            return f"its {team.budget_tokens} tokens are spent"
        if team.budget_money and row["money"] >= team.budget_money:
            return f"its {team.budget_money:g} of money are spent"
        return ""

    async def _tell(self, reason: str) -> None:
        team, store = self._context.team, self._context.store
        who = "the team" if team.alone else f"the team {team.name}"
        rested = await store.meta(team.key(SPENT))
        await store.set_meta(team.key(SPENT), reason, reason=f"{who} goes on" if rested and not reason else "")
        if reason:
            told = f"{who} rests: {reason}; `autolab set` raises the budget"
            await store.set_meta(team.key(WORKED), f"{self._worked:.0f}")
            await store.event("anomaly", "autolab", told, after=Level.WARN)
