"""What every part of the engine works with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from orchestrator.branches import Repository
from orchestrator.corpus import Corpus
from orchestrator.lab import Lab
from orchestrator.runs import Executor
from orchestrator.sandbox import Walls
from orchestrator.settings import Settings
from orchestrator.store.records import Experiment, Master
from orchestrator.store.writer import Writer
from orchestrator.team_settings import Team


class Standing:
    """The settings as they stand now: one for all who work in a lab, changed as a whole by the command `set`."""

    def __init__(self, settings: Settings) -> None:
        self.now = settings


@dataclass(frozen=True, slots=True)
class Context:
    """One lab at work: its paths, settings, store, repository, slots, corpus, and the sandbox of its runs."""

    lab: Lab
    standing: Standing
    store: Writer
    repository: Repository
    executor: Executor
    corpus: Corpus
    walls: Walls
    playing: str = ""
    """The team that works with it; "" is the lab itself."""

    @property
    def team(self) -> Team:
        """The team that works with it; for the lab itself the first one."""
        teams = self.settings.teams_at_work
        return next((team for team in teams if team.name == self.playing), teams[0])

    @property
    def line(self) -> str:
        """Whose master is meant here: the team's own, by its name, or the lab's ("")."""
        return self.team.line if self.playing else ""

    @property
    def lines(self) -> tuple[str, ...]:
        """Every master that is worked on: the lab's, and those of teams that have their own."""
        return ("", *(team.line for team in self.settings.teams_at_work if team.line))

    def of(self, team: Team) -> Context:
        """The same lab in the hands of a team."""
        return replace(self, playing=team.name)

    def team_of(self, experiment: Experiment) -> Team | None:
        """The team that works on an experiment: its own, or for one that nobody at work has the first of its master."""
        teams = self.settings.teams_at_work
        own = [team for team in teams if team.name == experiment.team]
        return next(iter(own or [team for team in teams if team.line == experiment.line]), None)

    async def master(self) -> Master:
        """The master that is meant here; there is one as soon as the engine has begun."""
        master = await self.store.master(self.line)
        assert master is not None
        return master

    @property
    def settings(self) -> Settings:
        """Read at each look: who keeps a copy does not hear of a change."""
        return self.standing.now

    async def sources(self, commit: str) -> dict[str, str]:
        """The editable files as they stand at a commit."""
        found: dict[str, str] = {}
        for path in self.settings.target.editable:
            content = await asyncio.to_thread(self.repository.show_file, commit, path)
            found[path] = content.decode("utf-8", errors="replace")
        return found

    async def target_at(self, commit: str) -> dict[str, bytes]:
        """Everything at a commit that a score depends on: the editable and the protected files."""
        target = self.settings.target
        return {
            path: await asyncio.to_thread(self.repository.show_file, commit, path)
            for path in (*target.editable, *target.protected)
        }

    async def diff(self, experiment: Experiment) -> str:
        """The experiment's patch as a unified diff; empty before there is one."""
        if experiment.parent is None or experiment.commit_id is None:
            return ""
        return await asyncio.to_thread(self.repository.diff, experiment.parent, experiment.commit_id)
