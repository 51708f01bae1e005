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

BREAK_SECONDS = 300.0
"""Without a key for longer than this, a person has looked elsewhere: what changed is counted from there."""

NIGHT = timedelta(hours=12)


class Visits:
    """The bookmark of `person` ("user@host"); only remembered, not written, in a room that only watches."""

    def __init__(self, lab: Lab, person: str, *, keep: bool = True) -> None:
        self._keep = keep
        self._here: str | None = None
        self._path: Path = lab.hidden / "visits" / re.sub(r"[^\w.@-]", "_", person)

    def last(self) -> str | None:
        """When the person was here last (UTC, ISO 8601); None for the first visit, or where that cannot be read."""
        if self._here is not None and not self._keep:
            return self._here
        try:
            text = self._path.read_text(encoding="utf-8").strip()
            return text if seconds_since(text) >= 0 else None
        except (OSError, ValueError, TypeError):
            return None

    def note(self) -> None:
        """The person is here now. A lab that cannot be written to keeps no bookmarks."""
        self._here = utc_now()
        if not self._keep:
            return
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.write_text(self._here + "\n", encoding="utf-8")


def was_away(last: str | None) -> bool:
    return last is not None and seconds_since(last) > AWAY_SECONDS


def night_before(now: str) -> str:
    """Where a summary begins for somebody whose last visit is not known."""
    then = datetime.fromisoformat(now) - NIGHT
    return then.isoformat(timespec="milliseconds").replace("+00:00", "Z")
