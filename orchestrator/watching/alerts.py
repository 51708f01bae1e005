"""Alerts: the events that a person away from the room wants to hear of, by level."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from orchestrator.runs.log_text import inert
from orchestrator.store.reader import Reader
from orchestrator.store.records import Event, Level

LONGEST_TEXT = 1500
"""Characters: reasons quote what runs and agents wrote."""

_ORDER = {Level.INFO: 0, Level.WARN: 1, Level.ERROR: 2}


@dataclass(frozen=True, slots=True)
class Alert:
    """One event as it is told outside; `id` is its number, so that whoever hears it twice can see that."""

    id: int
    at: str
    level: Level
    title: str
    text: str
    experiment: int | None

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "level": str(self.level)}


def reaches(level: Level, lowest: Level) -> bool:
    """Whether an alert of this level is at least as grave as `lowest`."""
    return _ORDER[level] >= _ORDER[lowest]


def alert_of(event: Event) -> Alert | None:
    """None for an event that is nobody's alarm."""
    level: Level | None = None
    match event.kind:
        case "master" if event.experiment_id != 0:  # the start is no news
            level, title = Level.INFO, "Master moved"
        case "anomaly":
            level, title = _level(event, Level.WARN), "Anomaly"
        case "lab" if event.after in list(Level):
            level, title = Level(event.after), "The lab"
    if level is None:
        return None
    text = " ".join(inert(event.reason).split())
    text = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    return Alert(event.seq, event.at, level, title, text, event.experiment_id)


def _level(event: Event, ordinary: Level) -> Level:
    return Level(event.after) if event.after in list(Level) else ordinary


async def alerts_after(reader: Reader, seq: int, most: int) -> list[Alert]:
    """The oldest alerts among events with a number above `seq`, at most `most` events of the kinds that can be one."""
    rows = await reader.rows(
        "SELECT * FROM events WHERE seq > ? AND (kind IN ('master', 'anomaly')"
        " OR (kind = 'lab' AND after IN ('info', 'warn', 'error')))"
        " ORDER BY seq LIMIT ?",
        (seq, most),
    )
    return [alert for row in rows if (alert := alert_of(Event.from_row(row))) is not None]


async def newest_event(reader: Reader) -> int:
    """The number of the newest event; 0 for none."""
    row = await reader.row("SELECT coalesce(max(seq), 0) AS seq FROM events")
    assert row is not None
    return int(row["seq"])
