"""What the planner can do beside queueing and dropping: merge, follow up, combine, tune, and state the balance."""

from __future__ import annotations

from typing import Any

from orchestrator.balance import STATED, balance_of
from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.patches.combining import combination_of
from orchestrator.patches.tuning import tune
from orchestrator.store.records import Experiment
from orchestrator.store.states import RAN, State
from orchestrator.team import requests
from orchestrator.team.belonging import notes_of, refuse_another_teams
from roles.errors import ToolRefusal
from roles.tools import Answer, Tool, bind

WITHDRAWN = frozenset({State.DROPPED, State.GIVEN_UP, State.REJECTED})


class PlannerTools:
    """The planner's further tools; `team` is the one that its experiments belong to."""

    def __init__(self, context: Context, agent: str, team: str) -> None:
        self._context = context
        self._agent = agent
        self._team = team

    def tools(self) -> list[Tool]:
        return [
            bind("merge_duplicates", self._merge),
            bind("request_follow_up", self._follow_up),
            bind("combine", self._combine),
            bind("tune_constant", self._tune),
            bind("state_balance", self._balance),
        ]

    async def _experiment(self, number: Any) -> Experiment:
        experiment = await self._context.store.experiment(int(number))
        if experiment is None:
            raise ToolRefusal(f"There is no experiment {number}.")
        return experiment

    async def _merge(self, arguments: dict[str, Any]) -> Answer:
        keep, absorb = await self._experiment(arguments["keep"]), await self._experiment(arguments["absorb"])
        reason = str(arguments["reason"]).strip()
        refuse_another_teams(self._context, keep, absorb)
        if keep.id == absorb.id:
            raise ToolRefusal("`keep` and `absorb` are the same experiment; name two.")
        if absorb.state not in (State.PROPOSED, State.QUEUED):
            raise ToolRefusal(
                f"Experiment {absorb.id} is {absorb.state}; only one that waits without a patch can be absorbed."
            )
        if keep.state in WITHDRAWN:
            raise ToolRefusal(f"Experiment {keep.id} is {keep.state}, so it would test nothing; keep the other one.")
        store, priority = self._context.store, max(keep.priority, absorb.priority)
        await store.move(
            absorb.id, State.DROPPED, f"dropped: absorbed by experiment {keep.id}: {reason}", actor=self._agent
        )
        told = f"absorbs experiment {absorb.id} ({absorb.title}; {absorb.source}): {reason}"
        await store.annotate(keep.id, told, actor=self._agent, priority=priority)
        return Answer(f"Experiment {keep.id} ({keep.state}) has absorbed experiment {absorb.id}.")

    async def _follow_up(self, arguments: dict[str, Any]) -> Answer:
        experiment = await self._experiment(arguments["id"])
        if experiment.state not in RAN:
            raise ToolRefusal(f"Experiment {experiment.id} is {experiment.state}; follow up what has run.")
        refuse_another_teams(self._context, experiment)
        open_ones = await requests.open_requests(self._context.store, team=notes_of(self._context))
        if experiment.id in {one.experiment_id for one in open_ones}:
            raise ToolRefusal(f"A follow-up of experiment {experiment.id} is asked for already.")
        if len(open_ones) >= requests.MOST_OPEN:
            waiting = ", ".join(str(one.experiment_id) for one in open_ones)
            raise ToolRefusal(
                f"{len(open_ones)} requests wait for the researcher already (of {waiting}); let it catch up."
            )
        await requests.ask(self._context.store, experiment.id, str(arguments["reason"]).strip(), self._agent)
        return Answer(f"The researcher is asked for a follow-up of experiment {experiment.id}.")

    async def _combine(self, arguments: dict[str, Any]) -> Answer:
        first, second = await self._experiment(arguments["first"]), await self._experiment(arguments["second"])
        try:
            proposal = await combination_of(self._context, first, second, str(arguments["reason"]).strip())
        except LabError as error:
            raise ToolRefusal(str(error)) from None
        made = await self._context.store.add_experiment(
            proposal,
            author=self._agent,
            team=self._team,
            priority=int(arguments["priority"]),
            state=State.QUEUED,
            line=self._context.line,
        )
        return Answer(f"Experiment {made.id} combines experiments {first.id} and {second.id}; it is queued.")

    async def _tune(self, arguments: dict[str, Any]) -> Answer:
        try:
            made = await tune(
                self._context,
                str(arguments["name"]),
                int(arguments["values"]),
                actor=self._agent,
                team=self._team,
                priority=int(arguments["priority"]),
                reason=str(arguments["reason"]).strip(),
            )
        except LabError as error:
            raise ToolRefusal(str(error)) from None
        return Answer("\n".join(f"Experiment {one.id} is {one.state}: {one.title}" for one in made))

    async def _balance(self, arguments: dict[str, Any]) -> Answer:
        share, reason = float(arguments["exploring"]), str(arguments["reason"]).strip()
        await self._context.store.set_meta(
            self._context.team.key(STATED),
            f"{share:g}",
            actor=self._agent,
            reason=f"balance: {share:.0%} of the runs explore, {1 - share:.0%} refine: {reason}",
        )
        return Answer(f"It is stated: {(await balance_of(self._context.store, self._context.team)).told}.")
