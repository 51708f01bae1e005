"""Whose experiment it is: a team's own, or one that nobody at work has, which the first team of its master takes."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.context import Context
from orchestrator.store.records import Experiment
from orchestrator.store.states import WAITING, State
from roles.errors import ToolRefusal


def belongs(context: Context, experiment: Experiment) -> bool:
    """Whether the team of `context` works on an experiment that needs somebody."""
    team = context.team_of(experiment)
    return team is not None and team.name == context.team.name and team.line == experiment.line


async def of_team(context: Context, states: Iterable[State]) -> list[Experiment]:
    """The team's experiments in any of `states`, the most urgent first."""
    return [one for one in await context.store.in_states(states) if belongs(context, one)]


def notes_of(context: Context) -> str | None:
    """Whose notes the team reads: its own; a team alone, every one that there is."""
    return None if context.team.alone else context.team.name


def refuse_another_teams(context: Context, *experiments: Experiment) -> None:
    """Nobody orders, drops, merges or comments on what is the competition's. Raises ToolRefusal."""
    others = [team.name for team in context.settings.teams_at_work if team.name != context.team.name]
    for experiment in experiments:
        if experiment.team in others:
            raise ToolRefusal(f"Experiment {experiment.id} is the team {experiment.team}'s, which competes with yours.")


async def settle_lines(context: Context) -> None:
    """What waits is for the master that its team works on now: a change of `own_master` takes it along."""
    lines = {team.name: team.line for team in context.settings.teams_at_work}
    for experiment in await context.store.in_states(WAITING):
        kept = experiment.line if experiment.line in context.lines else ""
        line = lines.get(experiment.team, kept)
        if line != experiment.line:
            told = f"it is for {f'team/{line}/master' if line else 'master'} from now on, where its team works"
            await context.store.annotate(experiment.id, told, actor="autolab", line=line)
