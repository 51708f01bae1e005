"""A lab's Trackio project, written so that repeating an order changes nothing.

Rows go straight into Trackio's store (`SQLiteStorage`, alike in 0.40 to 0.43), each under an id made from what it
tells of. `trackio.init` and `log` would give every repetition a run and rows of new ids, stamp all rows with the time
of writing, keep rows in a thread for half a second, and watch the CPU of this process as if it were the run's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FLEET = "fleet"
"""Name and id of the run that tells of the whole lab."""


@dataclass(frozen=True, slots=True)
class Key:
    """A run of the project: `id` makes it the same run for ever, `name` is what people read."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """Values at a step; `id` makes it the same row for ever, `at` is UTC, ISO 8601."""

    id: str
    step: int
    at: str
    values: Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert as the dashboard shows it; `level` is info, warn or error."""

    id: str
    level: str
    title: str
    text: str
    step: int
    at: str


def accepted_name(name: str) -> str:
    """The name of a lab, changed where Trackio keeps it for itself."""
    from trackio.sqlite_storage import SQLiteStorage

    try:
        SQLiteStorage.validate_project_name(name)
    except ValueError:
        return f"lab-{name}-lab"
    return name


class Project:
    """The store of one project in $TRACKIO_DIR. Every write has been committed when it returns; errors are sqlite3's
    and OSError."""

    def __init__(self, name: str) -> None:
        from trackio.sqlite_storage import SQLiteStorage
        from trackio.utils import RESERVED_KEYS

        self.name = accepted_name(name)
        self._storage: Any = SQLiteStorage
        self._reserved = frozenset(RESERVED_KEYS)

    def log(self, run: Key, rows: Sequence[Row], config: Mapping[str, object], group: str, created: str) -> None:
        """Add rows to a run; those that are there already stay as they are."""
        known = {**config, "_Username": None, "_Created": created, "_Group": group}
        self._storage.bulk_log(
            project=self.name,
            run=run.name,
            run_id=run.id,
            metrics_list=[self._renamed(row.values) for row in rows],
            steps=[row.step for row in rows],
            timestamps=[row.at for row in rows],
            log_ids=[f"{run.id}/{row.id}" for row in rows],
            config=known,
        )

    def _renamed(self, values: Mapping[str, float | str]) -> dict[str, float | str]:
        """A train.py may log what Trackio has a column of its own for; renamed as `trackio.log` does it."""
        taken = {name for name in values if name in self._reserved or name.startswith("__")}
        return {f"__{name}" if name in taken else name: value for name, value in values.items()}

    def alert(self, run: Key, notices: Sequence[Notice]) -> None:
        """Add alerts to a run; those that are there already stay as they are."""
        self._storage.bulk_alert(
            project=self.name,
            run=run.name,
            run_id=run.id,
            titles=[one.title for one in notices],
            texts=[one.text for one in notices],
            levels=[one.level for one in notices],
            steps=[one.step for one in notices],
            timestamps=[one.at for one in notices],
            alert_ids=[one.id for one in notices],
        )
