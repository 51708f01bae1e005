"""How a row of `runs.db` becomes a record: by the names of the record's fields."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Protocol, Self


def columns(record: type) -> tuple[str, ...]:
    """The fields of a record, looked up once: thousands of rows are read at a time."""
    found = _COLUMNS.get(record)
    if found is None:
        found = _COLUMNS[record] = tuple(field.name for field in fields(record))
    return found


_COLUMNS: dict[type, tuple[str, ...]] = {}


class Row(Protocol):
    """What sqlite3.Row offers."""

    def keys(self) -> list[str]: ...
    def __getitem__(self, key: str, /) -> Any: ...


class FromRow:
    """A record with the names of its table's columns."""

    @classmethod
    def from_row(cls, row: Row) -> Self:
        return cls(**{name: row[name] for name in columns(cls)})
