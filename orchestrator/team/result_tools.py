"""What agents can do with single results: write down what one teaches, and cancel what is hopeless."""

from __future__ import annotations

from typing import Any

from orchestrator.context import Context
from orchestrator.lessons import LESSON
from orchestrator.store.records import CANCELLED, Decision, Experiment, RunKind
from orchestrator.store.states import RAN, WAITING, State
from orchestrator.team.belonging import refuse_another_teams
from orchestrator.team_settings import PERSON
from roles.errors import ToolRefusal
from roles.tools import Answer

MOST_CANCELLED = 2
"""In one job of the reporter."""

MOST_LESSONS = 12
"""Results in a wave whose lessons are asked for."""


class ResultTools:
    """The handlers of one agent at one job."""

    def __init__(self, context: Context, agent: str) -> None:
        self._context = context
        self._agent = agent
        self._cancelled = 0

    async def _experiment(self, number: Any) -> Experiment:
        experiment = await self._context.store.experiment(int(number))
        if experiment is None:
            raise ToolRefusal(f"There is no experiment {number}.")
        return experiment

    async def lesson(self, arguments: dict[str, Any]) -> Answer:
        experiment = await self._experiment(arguments["id"])
        refuse_another_teams(self._context, experiment)
        if experiment.state not in RAN:
            raise ToolRefusal(f"Experiment {experiment.id} is {experiment.state}; it has taught nothing yet.")
        told = " ".join(str(arguments["lesson"]).split())
        await self._context.store.event(LESSON, self._agent, told, experiment_id=experiment.id)
        return Answer(f"It is written down for experiment {experiment.id}.")

    async def cancel(self, arguments: dict[str, Any]) -> Answer:
        """The least that it takes: what waits, or a first run; nothing that another decision rests on."""
        experiment, reason = await self._experiment(arguments["id"]), str(arguments["reason"]).strip()
        refuse_a_persons_own(experiment)
        refuse_another_teams(self._context, experiment)
        if self._cancelled >= MOST_CANCELLED:
            raise ToolRefusal(f"{self._cancelled} are cancelled in this job already; report the others instead.")
        store = self._context.store
        if experiment.state in WAITING and experiment.state is not State.PATCHING:
            self._cancelled += 1
            await store.move(experiment.id, State.DROPPED, f"cancelled: {reason}", actor=self._agent)
            return Answer(f"Experiment {experiment.id} is dropped.")
        underway = [run for run in await store.runs_underway() if run.experiment_id == experiment.id]
        if experiment.state is not State.RUNNING or [run.kind for run in underway] != [RunKind.SCREEN]:
            raise ToolRefusal(
                f"Experiment {experiment.id} is {experiment.state}; only what waits, or a first run, can be cancelled."
            )
        self._cancelled += 1
        await store.event(CANCELLED, self._agent, reason, experiment_id=experiment.id, after=str(underway[0].id))
        await self._context.executor.stop(self._context.lab.run_directory(underway[0].id), now=False)
        return Answer(f"The run of experiment {experiment.id} is being stopped.")


def refuse_a_persons_own(experiment: Experiment) -> None:
    if experiment.team == PERSON or experiment.decision is not Decision.NONE:
        raise ToolRefusal(f"Experiment {experiment.id} is a person's own; only people call it off.")
