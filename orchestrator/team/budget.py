"""What a team may spend: tokens, money and hours; after that it begins no more jobs, and says why."""

from __future__ import annotations

from orchestrator.context import Context
from orchestrator.store.records import seconds_since

SPENT = "budget_spent"
"""The key in `meta` (by team, see Team.key) of the sentence that says which budget is spent; empty while none is."""


class Budget:
    """Looks at what the models of one team have taken so far. What runs goes on; what is ready still runs."""

    def __init__(self, context: Context) -> None:
        """`context` is in the team's hands."""
        self._context = context

    async def spent(self) -> str | None:
        """Why the team rests, in a sentence; None while it may go on. An event tells of each change."""
        team, store = self._context.team, self._context.store
        if not (team.budget_tokens or team.budget_money or team.budget_hours):
            reason = ""
        else:
            # Calls from before teams were told apart have no team; they were those of the one there was.
            row = await store.row(
                "SELECT coalesce(sum(tokens_in + tokens_out), 0) AS tokens, coalesce(sum(money), 0) AS money,"
                " min(at) AS begun FROM calls WHERE team = ? OR (? AND team = '')",
                (team.name, team.alone),
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
        if reason != await store.meta(team.key(SPENT)):
            who = "the team" if team.alone else f"the team {team.name}"
            told = f"{who} rests: {reason}; raise the budget in autolab.toml and start again" if reason else ""
            await store.set_meta(team.key(SPENT), reason, reason=told)
        return reason or None
