"""When a person was in the room last: a bookmark in the lab, one file for each person; it is no state of the lab."""

from __future__ import annotations

import contextlib
import re
from datetime import datetime, timedelta
from pathlib import Path

from orchestrator.lab import Lab
from orchestrator.store.records import seconds_since, utc_now

AWAY_SECONDS = 3600.0
"""Away for longer than this, a person is told what happened meanwhile."""

NIGHT = timedelta(hours=12)


class Visits:
    """The bookmark of `person` ("user@host")."""

    def __init__(self, lab: Lab, person: str) -> None:
        self._path: Path = lab.hidden / "visits" / re.sub(r"[^\w.@-]", "_", person)

    def last(self) -> str | None:
        """When the person was here last (UTC, ISO 8601); None for the first visit, or where that cannot be read."""
        try:
            text = self._path.read_text(encoding="utf-8").strip()
            return text if seconds_since(text) >= 0 else None
        except (OSError, ValueError, TypeError):
            return None

    def note(self) -> None:
        """The person is here now. A lab that cannot be written to keeps no bookmarks."""
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(utc_now() + "\n", encoding="utf-8")


def was_away(last: str | None) -> bool:
    return last is not None and seconds_since(last) > AWAY_SECONDS


def night_before(now: str) -> str:
    """Where a summary begins for somebody whose last visit is not known."""
    then = datetime.fromisoformat(now) - NIGHT
    return then.isoformat(timespec="milliseconds").replace("+00:00", "Z")
