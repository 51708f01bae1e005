"""Opening `runs.db`: pragmas, migrations, and the sentences for a file that cannot be used."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite

from orchestrator.errors import LabError
from orchestrator.store.migrations import MIGRATIONS

BUSY_MILLISECONDS = 10_000


def database_error(path: Path, error: sqlite3.Error) -> LabError:
    """The sentence and remedy for what SQLite says of the file at `path`."""
    text = str(error)
    if "locked" in text or "busy" in text:
        return LabError(
            f"The database {path} is locked by another program ({text}).",
            "Close the program that holds it (`fuser` names it), then try again.",
        )
    if "readonly" in text or "unable to open" in text:
        return LabError(
            f"The database {path} cannot be opened for writing ({text}).",
            "Check the owner and the permissions of the lab's directory.",
        )
    if "disk is full" in text or "disk I/O" in text:
        return LabError(
            f"The database {path} cannot be written ({text}).",
            "Free some disk space; a lab at work goes on by itself.",
        )
    return LabError(
        f"The database {path} is damaged ({text}).",
        "Put a copy back, or move it aside and run `autolab start` to begin a new one; all branches stay in git.",
    )


async def connect(path: Path, *, create: bool = False) -> aiosqlite.Connection:
    """Open the database, ready for reading and for posting commands.

    With `create`, a missing file is made and older schemas are brought up to date (the daemon's right alone). Raises
    LabError for a missing, damaged, locked or newer database; such a file is never altered.
    """
    if not create and not path.exists():
        raise LabError(f"There is no database at {path}.", "Run `autolab start` on the lab to make it.")
    try:
        connection = await aiosqlite.connect(path, isolation_level=None)
    except sqlite3.Error as error:
        raise database_error(path, error) from error
    try:
        connection.row_factory = sqlite3.Row
        await connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        version = await _version(connection)
        if version > len(MIGRATIONS):
            raise LabError(
                f"The database {path} was written by a newer Autolab"
                f" (schema {version}, this one knows {len(MIGRATIONS)}).",
                "Upgrade Autolab; the database was left as it is.",
            )
        if create:
            # FULL: a result that was answered for survives a power cut (0.4 ms a commit).
            await connection.execute("PRAGMA journal_mode = WAL")
            await connection.execute("PRAGMA synchronous = FULL")
            await _migrate(connection, version)
        elif version < len(MIGRATIONS):
            raise LabError(
                f"The database {path} has an older schema ({version} of {len(MIGRATIONS)}).",
                "Run `autolab start` once; the daemon brings it up to date.",
            )
        await connection.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error as error:
        await connection.close()
        raise database_error(path, error) from error
    except BaseException:
        await connection.close()
        raise
    return connection


async def _version(connection: aiosqlite.Connection) -> int:
    [row] = await connection.execute_fetchall("PRAGMA user_version")
    return int(row[0])


async def _migrate(connection: aiosqlite.Connection, version: int) -> None:
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        # One script, one transaction: a kill in the middle leaves the version before.
        await connection.executescript(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT;")


@asynccontextmanager
async def transaction(connection: aiosqlite.Connection) -> AsyncIterator[None]:
    """BEGIN IMMEDIATE ... COMMIT, rolled back on any exception. The caller serialises its own transactions."""
    try:
        await connection.execute("BEGIN IMMEDIATE")
        yield
        await connection.execute("COMMIT")
    except BaseException:
        # A cancelled caller's statement is carried out all the same, BEGIN and COMMIT too: only SQLite knows whether
        # there is still something to take back.
        with contextlib.suppress(sqlite3.OperationalError):
            await connection.execute("ROLLBACK")
        raise
