"""The right to write `runs.db`: one transaction at a time, each with an event that says what happened and why."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from orchestrator.runs.log_text import inert
from orchestrator.store.database import database_error, transaction
from orchestrator.store.reader import Reader
from orchestrator.store.records import utc_now


class Pen(Reader):
    """A reader that may write. The daemon alone has one (it holds the lab's lock); it serialises its transactions."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._turn = asyncio.Lock()

    async def open(self) -> Self:
        await self._connect(create=True)
        return self

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        async with self._turn:
            try:
                async with transaction(self.connection):
                    yield
            except sqlite3.Error as error:
                raise database_error(self.path, error) from error

    async def _do(self, sql: str, arguments: Sequence[Any] = ()) -> int:
        async with self.connection.execute(sql, arguments) as cursor:
            return cursor.lastrowid or 0

    async def _event(
        self,
        kind: str,
        actor: str,
        reason: str,
        *,
        experiment_id: int | None = None,
        run_id: int | None = None,
        before: str | None = None,
        after: str | None = None,
    ) -> None:
        await self._do(
            "INSERT INTO events (at, actor, kind, experiment_id, run_id, before, after, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (utc_now(), actor, kind, experiment_id, run_id, before, after, inert(reason)),
        )

    async def event(
        self,
        kind: str,
        actor: str,
        reason: str,
        *,
        experiment_id: int | None = None,
        before: str | None = None,
        after: str | None = None,
    ) -> None:
        """Record something that changes no state; `after` is the event's own word for where things stand."""
        async with self._change():
            await self._event(kind, actor, reason, experiment_id=experiment_id, before=before, after=after)
