"""What the planner can do: queue, drop, merge, follow up, combine, tune, and state the balance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orchestrator.balance import STATED, balance_of
from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.patches.combining import combination_of
from orchestrator.patches.tuning import numeric_constants, tune
from orchestrator.store.records import Experiment
from orchestrator.store.states import RAN, State
from orchestrator.team import requests
from orchestrator.team.belonging import notes_of, refuse_another_teams
from orchestrator.team.result_tools import refuse_a_persons_own
from roles.errors import ToolRefusal
from roles.offline import NAME as OFFLINE
from roles.playing import Playing
from roles.tools import Answer, Tool, bind

WITHDRAWN = frozenset({State.DROPPED, State.GIVEN_UP, State.REJECTED})


class PlannerTools:
    """The planner's own tools at one job."""

    def __init__(self, context: Context, agent: str, playing: Playing) -> None:
        self._context = context
        self._agent = agent
        self._playing = playing
        self._sent_to_the_tuner: set[int] = set()

    def tools(self, waiting: Sequence[int] = ()) -> list[Tool]:
        """`waiting`: the experiments that may be ordered and dropped."""
        numbers = {"id": waiting} if waiting else {}
        return [
            bind("queue", self._queue, **numbers),
            bind("drop", self._drop, **numbers),
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

    async def _own(self, number: Any) -> Experiment:
        """An experiment that this team may order and drop: not another team's."""
        experiment = await self._experiment(number)
        refuse_another_teams(self._context, experiment)
        return experiment

    async def _queue(self, arguments: dict[str, Any]) -> Answer:
        experiment = await self._own(arguments["id"])
        priority, reason = int(arguments["priority"]), str(arguments["reason"]).strip()
        person = await self._who_ranked(experiment)
        if person and experiment.state is not State.PROPOSED:
            return Answer(f"Experiment {experiment.id} keeps the priority {experiment.priority} that {person} gave it.")
        priority = experiment.priority if person else priority
        match experiment.state:
            case State.PROPOSED:
                await self._refuse_a_number(experiment)
                await self._context.store.move(
                    experiment.id, State.QUEUED, f"queued: {reason}", actor=self._agent, priority=priority
                )
            case State.QUEUED | State.PATCHING | State.READY:
                await self._context.store.set_priority(experiment.id, priority, reason, actor=self._agent)
            case _:
                raise ToolRefusal(f"Experiment {experiment.id} is {experiment.state}; it waits for nothing.")
        return Answer(f"Experiment {experiment.id} waits with priority {priority}.")

    async def _who_ranked(self, experiment: Experiment) -> str:
        """The person whose word its priority is; empty where it is the agents'."""
        row = await self._context.store.row(
            "SELECT actor FROM events WHERE kind = 'priority' AND experiment_id = ? ORDER BY seq DESC LIMIT 1",
            (experiment.id,),
        )
        ranked_by = experiment.author if row is None else str(row["actor"])
        return ranked_by if "@" in ranked_by else ""

    async def _drop(self, arguments: dict[str, Any]) -> Answer:
        experiment = await self._own(arguments["id"])
        if experiment.state not in (State.PROPOSED, State.QUEUED, State.READY):
            raise ToolRefusal(f"Experiment {experiment.id} is {experiment.state}; only what waits can be dropped.")
        refuse_a_persons_own(experiment)
        await self._context.store.move(
            experiment.id, State.DROPPED, f"dropped: {str(arguments['reason']).strip()}", actor=self._agent
        )
        return Answer(f"Experiment {experiment.id} is dropped.")

    async def _refuse_a_number(self, experiment: Experiment) -> None:
        """What varies a numeric constant alone needs no worker and no guess at a value: the tuner learns from results.
        Refused once a job: what an idea changes beside the number is for the planner to read."""
        name = experiment.variable.strip()
        if self._playing.model == OFFLINE or experiment.id in self._sent_to_the_tuner:
            return
        master = await self._context.master()
        known = numeric_constants(self._context, await self._context.sources(master.commit_id))
        if not any(name in names for names in known.values()):
            return
        self._sent_to_the_tuner.add(experiment.id)
        raise ToolRefusal(
            f"Experiment {experiment.id} varies {name}, a numeric constant: use tune_constant for it, then drop this"
            f" one. If it changes more than the number, queue it again. {bind('tune_constant', self._tune).usage}",
            then={"tune_constant": {"name": [name]}, **{tool: {"id": [experiment.id]} for tool in ("queue", "drop")}},
        )

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
            team=self._context.team.name,
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
                team=self._context.team.name,
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
