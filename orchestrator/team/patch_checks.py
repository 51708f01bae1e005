"""What a patch in a worker's tree is checked against, each version of it once: the guard, its one idea, a smoke run."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

from orchestrator.context import Context
from orchestrator.guard import beyond_variable, changed_units, program_hash
from orchestrator.measurement.smoke_run import against_smoke
from orchestrator.patches.line_ends import read_exact
from orchestrator.patches.submitting import against_guard
from orchestrator.store.records import Experiment


class PatchChecks:
    """Of one job: `repair` says that the patch crashed before, so the very same program is no answer."""

    def __init__(self, context: Context, experiment: Experiment, worktree: Path, repair: bool) -> None:
        self._context = context
        self._experiment = experiment
        self._worktree = worktree
        self._repair = repair
        self._by_rules: dict[str, list[str]] = {}
        self._by_smoke: dict[str, list[str]] = {}

    async def base(self) -> str:
        """The commit that the tree stands on."""
        return await asyncio.to_thread(self._context.repository.head_of, self._worktree)

    async def sources(self) -> tuple[dict[str, str], dict[str, str]]:
        """The editable files before and after."""
        before = await self._context.sources(await self.base())
        after = {path: await asyncio.to_thread(read_exact, self._worktree / path) for path in before}
        return before, after

    async def against_rules(self) -> list[str]:
        """Why the patch may not run, one sentence each."""
        before, after = await self.sources()
        key = _key(after)
        if key not in self._by_rules:
            refused = await against_guard(self._context, before, after, self._experiment.id, self._worktree)
            refused += await asyncio.to_thread(beyond_variable, before, after, self._experiment.variable.strip())
            if not refused and self._repair and program_hash(after) == self._experiment.program:
                refused = ["This is the very program whose run crashed: mend what the traceback shows, or give up."]
            self._by_rules[key] = refused
        return self._by_rules[key]

    async def against_a_few_steps(self) -> list[str]:
        """Why the program does not run, with the end of its log; nothing when it does."""
        key = _key((await self.sources())[1])
        if key not in self._by_smoke:
            self._by_smoke[key] = await against_smoke(self._context, self._worktree)
        return self._by_smoke[key]

    async def changed(self) -> str:
        """What the patch changes by the guard's reading, beside what it was to change."""
        before, after = await self.sources()
        listed = "; ".join(await asyncio.to_thread(changed_units, before, after)) or "nothing but names or comments"
        return f"It changes: {listed}. It was to change: {self._experiment.variable or 'not said'}."


def _key(sources: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).hexdigest()
