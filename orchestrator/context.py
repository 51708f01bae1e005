"""What every part of the engine works with."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from orchestrator.branches import Repository
from orchestrator.corpus import Corpus
from orchestrator.lab import Lab
from orchestrator.runs import Executor
from orchestrator.sandbox import Walls
from orchestrator.settings import Settings
from orchestrator.store.records import Experiment
from orchestrator.store.writer import Writer


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
