"""The notebook: `notebook.md` in the lab and, commit by commit, on the branch `notebook`; never on master."""

from __future__ import annotations

import asyncio
import contextlib

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.report.facts import facts_of
from orchestrator.report.notebook import notebook
from orchestrator.store.records import VAULT, Experiment

BRANCH = "notebook"
LOOK_SECONDS = 3.0


class Notebook:
    """Writes the notebook anew whenever an outcome, a report or findings have come."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._written: tuple[int, int, int] | None = None

    async def run(self) -> None:
        while True:
            with contextlib.suppress(LabError, OSError):  # the next look tries again
                await self.keep()
            await asyncio.sleep(LOOK_SECONDS)

    async def finish(self) -> None:
        """Write what is left, so that the last outcomes are in it."""
        with contextlib.suppress(LabError, OSError):
            await self.keep()

    async def keep(self) -> bool:
        """Bring the notebook up to date; true when it changed. Raises LabError and OSError."""
        context, store = self._context, self._context.store
        state = await self._state()
        if state == self._written:
            return False
        rows = await store.rows(
            "SELECT * FROM experiments WHERE id > 0 AND line = '' AND state IN ('discarded', 'not_confirmed',"
            " 'crashed', 'pruned', 'invalid', 'rejected', 'given_up') ORDER BY updated_at DESC, id DESC"
        )
        text = notebook(
            await facts_of(context.lab, store),
            [Experiment.from_row(row) for row in rows],
            await store.notes("report", 1),
            await store.notes("findings", 1),
        )
        outcomes = state[0]
        changed = await asyncio.to_thread(self._write, text, outcomes)
        self._written = state
        return changed

    async def _state(self) -> tuple[int, int, int]:
        """What it is made of: outcomes, notes, anomalies."""
        notes = await self._context.store.row("SELECT coalesce(max(id), 0) AS newest FROM notes")
        found = await self._context.store.row(
            "SELECT coalesce(max(seq), 0) AS newest FROM events WHERE kind = 'anomaly' AND actor != ?", (VAULT,)
        )
        assert notes is not None and found is not None
        return await self._context.store.count_outcomes(), int(notes["newest"]), int(found["newest"])

    def _write(self, text: str, outcomes: int) -> bool:
        lab, repository = self._context.lab, self._context.repository
        if repository.exclude(lab.notebook_file.name):  # else the repository has a file of that name, a person's own
            lab.notebook_file.write_text(text, encoding="utf-8")
        return repository.commit_alone(
            BRANCH, lab.notebook_file.name, text.encode(), f"Notebook after {outcomes} outcomes"
        )
