"""What a look at the lab finds, and what makes two findings the same."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from orchestrator.store.records import Level


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that looks wrong. The same `key` with the same `mark` is told once; when a look finds a `key` no more,
    it is over, but for a result, which `lasts`."""

    key: str
    mark: str
    sentence: str
    experiment_id: int | None = None
    level: Level | None = None
    lasts: bool = False


def kind_of(reason: str) -> str:
    """A reason without what differs from one to the next: numbers and places."""
    return re.sub(r"\d+", "N", re.sub(r"\s*\([^()]*line \d+\)", "", reason)).strip()[:160]


def window() -> str:
    """The present half hour: a finding that goes on is told again in the next."""
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%d %H}:{now.minute // 30 * 30:02d}"
