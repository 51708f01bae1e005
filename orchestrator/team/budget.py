"""What a team may spend: tokens, money and hours; after that it begins no more jobs, and says why."""

from __future__ import annotations

from orchestrator.context import Context
from orchestrator.store.records import seconds_since

SPENT = "budget_spent"
"""The key in `meta` of the sentence that says which budget is spent; empty while none is."""


class Budget:
    """Looks at what the lab's models have taken so far. What runs goes on; what is ready still runs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def spent(self) -> str | None:
        """Why the team rests, in a sentence; None while it may go on. An event tells of each change."""
        team, store = self._context.settings.team, self._context.store
        if not (team.budget_tokens or team.budget_money or team.budget_hours):
            reason = ""
        else:
            row = await store.row(
                "SELECT coalesce(sum(tokens_in + tokens_out), 0) AS tokens, coalesce(sum(money), 0) AS money,"
                " min(at) AS begun FROM calls"
            )
            assert row is not None
            hours = seconds_since(row["begun"]) / 3600 if row["begun"] else 0.0
            reason = ""
            if team.budget_tokens and row["tokens"] >= team.budget_tokens:
                reason = f"its {team.budget_tokens} tokens are spent"
            elif team.budget_money and row["money"] >= team.budget_money:
                reason = f"its {team.budget_money:g} of money are spent"
            elif team.budget_hours and hours >= team.budget_hours:
                reason = f"its {team.budget_hours:g} hours are over"
        if reason != await store.meta(SPENT):
            told = f"the team rests: {reason}; raise the budget in autolab.toml and start again" if reason else ""
            await store.set_meta(SPENT, reason, reason=told)
        return reason or None
