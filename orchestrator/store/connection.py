"""A lab's `runs.db` held open by one process: connected, asked in SQL, polled for what others commit, closed."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import aiosqlite

from orchestrator.store.database import connect, database_error


class Connection:
    """One connection to a lab's database. Use as `async with Connection(path) as connection:`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: aiosqlite.Connection | None = None
        self._gains: Mapping[int, float] = {}

    async def open(self) -> Self:
        """Connect; raises LabError (missing, damaged, locked, newer)."""
        await self._connect()
        return self

    async def _connect(self, create: bool = False) -> None:
        self._connection = await connect(self.path, create=create)
        await self._connection.create_function("believed_delta", 1, self._believed_delta)

    def believes(self, gains: Mapping[int, float]) -> None:
        """What is believed of gains, bits per byte by experiment: from here on the column `believed` goes by it."""
        self._gains = gains

    def _believed_delta(self, experiment_id: int) -> float | None:
        gain = self._gains.get(experiment_id)
        return None if gain is None else -gain

    async def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def connection(self) -> aiosqlite.Connection:
        assert self._connection is not None, "the store is not open"
        return self._connection

    async def rows(self, sql: str, arguments: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows in one step of the connection: between two, a writer on it would pull them from under the query."""
        try:
            return list(await self.connection.execute_fetchall(sql, arguments))
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "disk" in str(error):
                raise database_error(self.path, error) from error
            raise
        except sqlite3.DatabaseError as error:
            raise database_error(self.path, error) from error

    async def row(self, sql: str, arguments: Sequence[Any] = ()) -> sqlite3.Row | None:
        found = await self.rows(sql, arguments)
        return found[0] if found else None

    async def data_version(self) -> int:
        """Changes whenever another connection has committed; cheap enough to poll."""
        row = await self.row("PRAGMA data_version")
        assert row is not None
        return int(row[0])

    @property
    def own_changes(self) -> int:
        """How many rows this connection has changed itself, which `data_version` does not tell."""
        return self.connection.total_changes
