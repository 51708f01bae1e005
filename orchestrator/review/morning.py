"""What happened in a lab since a moment: the summary for somebody who was away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator import views
from orchestrator.review.wins import Win, ablations, wins_of
from orchestrator.store.ablations import ABLATED
from orchestrator.store.agents import Note
from orchestrator.store.anomalies import TOLD_AGAIN
from orchestrator.store.reader import Reader
from orchestrator.store.records import Event, Experiment, Run, SlotRow, seconds_since, utc_now
from orchestrator.store.states import ENDED, RAN, State

NEXT = 5
MOST_ANOMALIES = 8
MOST_OWN = 8
NOTE_KINDS = ("findings", "report")
_LOST = ", ".join(f"'{state}'" for state in sorted(ENDED - {State.PROMOTED, State.DROPPED}))


@dataclass(frozen=True, slots=True)
class Morning:
    """From `since` to `now` (UTC, ISO 8601); scores are bits per byte, less is better."""

    since: str
    now: str
    merged: tuple[Win, ...]  # meanwhile, in their order, reverts among them
    best_then: float | None  # None also where other settings count now
    best_now: float | None
    outcomes: dict[State, int]  # how many experiments came to which end; the starting points are none
    runs: int  # that ended
    slots: dict[str, float]  # share of the time since then, or since the first run, in which each slot had one, 0..1
    tokens: int
    money: float  # in the currency of the prices in autolab.toml
    learned: tuple[Note, ...]  # the newest words of the reviewer and of the reporter, where they are of that time
    anomalies: tuple[Event, ...]  # newest first
    anomaly_count: int
    next: tuple[Experiment, ...]  # the head of the queue
    waiting: int
    believed: float | None  # of the gains of all that was merged, together
    own: tuple[Experiment, ...] = ()  # people's, not merged, that have ended meanwhile; the newest first
    measured: tuple[Experiment, ...] = ()  # what wins are still worth, found meanwhile
    began: str | None = None  # when the lab was made (UTC, ISO 8601)

    @property
    def seconds(self) -> float:
        return seconds_since(self.since, self.now)

    @property
    def whole(self) -> bool:
        """Whether the lab is younger than that: all of it is told."""
        return self.began is not None and self.began > self.since

    @property
    def age(self) -> float:
        """Of the lab, seconds."""
        return seconds_since(self.began or self.since, self.now)

    @property
    def wins(self) -> tuple[Win, ...]:
        return tuple(win for win in self.merged if not win.is_revert)

    @property
    def reverts(self) -> tuple[Win, ...]:
        """Wins taken out of master again, each by a merge of its own."""
        return tuple(win for win in self.merged if win.is_revert and not win.is_return)

    @property
    def returns(self) -> tuple[Win, ...]:
        """Wins put back into master, likewise."""
        return tuple(win for win in self.merged if win.is_return)

    @property
    def eventful(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.merged or self.outcomes or self.learned or self.anomalies or self.measured)

    @property
    def ran(self) -> int:
        return sum(number for state, number in self.outcomes.items() if state in RAN) + len(self.measured)


async def morning_of(reader: Reader, since: str, now: str | None = None) -> Morning:
    """Read the summary from the store. Raises LabError."""
    now = now or utc_now()
    wins = await wins_of(reader)
    merged = tuple(win for win in wins if win.merged_at > since)
    ended = await reader.rows(
        "SELECT after, count(*) AS n FROM (SELECT experiment_id, after, max(seq) FROM events"
        " WHERE kind = 'state' AND at > ? GROUP BY experiment_id)"  # one that was asked for again has not ended
        " WHERE (after != 'promoted' OR experiment_id NOT IN (SELECT id FROM experiments WHERE branch = 'master'))"
        f" AND experiment_id NOT IN (SELECT id FROM experiments WHERE {ABLATED})"
        " GROUP BY after",  # nobody has won a starting point
        (since,),
    )
    outcomes = {State(row["after"]): int(row["n"]) for row in ended if row["after"] in set(map(str, ENDED))}
    spent = await reader.row(
        "SELECT coalesce(sum(tokens_in + tokens_out), 0) AS tokens, coalesce(sum(money), 0.0) AS money FROM calls"
        " WHERE at > ?",
        (since,),
    )
    anomalies = await reader.rows(
        f"SELECT * FROM events WHERE kind = 'anomaly' AND at > ? AND seq NOT IN ({TOLD_AGAIN}) ORDER BY seq DESC",
        (since,),
    )
    own = await reader.rows(
        f"SELECT * FROM experiments WHERE author LIKE '%@%' AND updated_at > ? AND state IN ({_LOST})"
        f" AND NOT {ABLATED} ORDER BY updated_at DESC LIMIT ?",
        (since, MOST_OWN),
    )
    runs = await reader.runs_since(since)
    queue = await reader.queue()
    notes = [note for kind in NOTE_KINDS for note in await reader.notes(kind, 1) if note.at > since]
    (then, before), (present, ground) = await _score_at(reader, since), await _score_at(reader, now)
    assert spent is not None
    return Morning(
        since=since,
        now=now,
        merged=merged,
        best_then=then if before == ground else None,
        best_now=present,
        outcomes=outcomes,
        runs=sum(run.ended_at is not None for run in runs),
        slots=_use(await reader.slots(), runs, max(since, await _first_run(reader) or since), now),
        tokens=int(spent["tokens"]),
        money=float(spent["money"]),
        learned=tuple(notes),
        anomalies=tuple(Event.from_row(row) for row in anomalies[:MOST_ANOMALIES]),
        anomaly_count=len(anomalies),
        next=tuple(queue[:NEXT]),
        waiting=len(queue),
        believed=_believed(wins, merged),
        own=tuple(Experiment.from_row(row) for row in own),
        measured=tuple(await ablations(reader, since)),
        began=await _began(reader),
    )


def _believed(wins: Sequence[Win], merged: Sequence[Win]) -> float | None:
    """Of what master has gained by these merges: a win that was taken out, or put back, counts as what it was."""
    of = {win.experiment.id: win.believed for win in wins}
    signed: dict[int, int] = {}
    for win in merged:
        one = win.experiment
        moved = one.puts_back or one.reverses or one.id
        signed[moved] = signed.get(moved, 0) + (-1 if win.is_revert and not win.is_return else 1)
    known = [sign * gain for number, sign in signed.items() if (gain := of.get(number)) is not None]
    return sum(known) if known else None


async def _score_at(reader: Reader, at: str) -> tuple[float | None, str]:
    """The score of the master of that time, or of the start, where the lab is younger, and its ground."""
    row = await reader.row(
        "SELECT e.val_bpb, e.ground FROM masters AS m JOIN experiments AS e ON e.id = m.experiment_id WHERE m.at <= ?"
        " OR m.seq = (SELECT min(seq) FROM masters) ORDER BY m.seq DESC LIMIT 1",
        (at,),
    )
    return (None, "") if row is None else (row["val_bpb"], row["ground"])


async def _began(reader: Reader) -> str | None:
    """When the lab was made: when its starting point was (UTC, ISO 8601)."""
    start = await reader.experiment(0)
    return None if start is None else start.created_at


async def _first_run(reader: Reader) -> str | None:
    row = await reader.row("SELECT min(started_at) AS at FROM runs")
    return None if row is None else row["at"]


def _use(slots: list[SlotRow], runs: list[Run], since: str, now: str) -> dict[str, float]:
    return {slot.name: views.busy_fraction(slot.name, runs, since, now) for slot in slots}
