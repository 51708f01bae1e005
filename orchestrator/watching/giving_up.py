"""Agents that give up job after job, as long as that holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestrator.store.reader import Reader
from orchestrator.store.records import AT_WORK
from orchestrator.watching.finding import Finding, kind_of, window

FAILURES = 3
"""So many jobs given up by one agent within the window are told of."""

FAILURE_WINDOW = timedelta(minutes=30)
GAVE_UP = "gave up a job:"


async def failing_agents(reader: Reader) -> list[Finding]:
    """Each by the cause of its last: it is told again when the cause is another."""
    found = []
    for row in await reader.rows(
        "SELECT actor, count(*) AS n, max(seq), at, reason FROM events WHERE kind = 'agent' AND at > ?"
        " AND reason LIKE ? GROUP BY actor HAVING n >= ?",
        (_before(FAILURE_WINDOW), f"{GAVE_UP}%", FAILURES),
    ):
        if not await _gets_on(reader, row["actor"], row["at"]):
            last = row["reason"].removeprefix(GAVE_UP).strip()
            sentence = f"{row['actor']} gave up {row['n']} jobs within half an hour, the last: {last}"
            found.append(Finding(f"agent {row['actor']} {kind_of(last)}", window(), sentence))
    return found


async def _gets_on(reader: Reader, agent: str, gave_up: str) -> bool:
    """Whether what an agent gave up for last is behind it: the daemon began anew, a job was finished since, or a model
    that had not answered did."""
    row = await reader.row(
        "SELECT EXISTS (SELECT 1 FROM events WHERE kind = 'lab' AND reason = ?3 AND at > ?2)"
        " OR EXISTS (SELECT 1 FROM calls WHERE agent = ?1 AND at > ?2 AND (outcome = 'finished'"
        " OR outcome NOT IN ('failed', 'cut', 'cancelled') AND 'failed' = (SELECT outcome FROM calls"
        " WHERE agent = ?1 AND at <= ?2 ORDER BY id DESC LIMIT 1))) AS yes",
        (agent, gave_up, AT_WORK),
    )
    assert row is not None
    return bool(row["yes"])


def _before(span: timedelta) -> str:
    return (datetime.now(UTC) - span).isoformat(timespec="milliseconds").replace("+00:00", "Z")
