"""What happened is told once: a run's end and a merge are an experiment's new state too."""

from __future__ import annotations

from pathlib import Path

from orchestrator.review.happened import events_of_interest, told_once
from orchestrator.store.records import Event
from orchestrator.store.writer import Writer
from tests.command_line import autolab
from tests.tui.test_wins import make_wins


def event(kind: str, after: str | None, reason: str, actor: str = "autolab", number: int = 3) -> Event:
    return Event(1, "2026-01-01T00:00:00.000Z", actor, kind, number, 6, None, after, reason)


def test_of_two_events_that_tell_the_same_the_state_stays() -> None:
    start = "screen run 6 with seed 1 starts on cpu0"
    events = [
        event("run", "running", start),
        event("state", "running", start),
        event("run", "scored", "scored 3.0918"),
        event("state", "scored", "scored 3.0918 with seed 1"),
        event("state", "promoted", "a real gain"),
        event("master", "abc", "a real gain"),
    ]
    assert told_once(events) == [events[1], events[3], events[4]]


def test_events_of_other_experiments_may_stand_between() -> None:
    events = [
        event("run", "crash", "crashed: KeyError"),
        event("run", "crash", "crashed: KeyError", number=4),
        event("state", "crashed", "crashed: KeyError"),
        event("state", "crashed", "crashed: KeyError", number=4),
    ]
    assert told_once(events) == events[2:]


def test_what_only_reads_alike_is_told() -> None:
    events = [
        event("run", "scored", "scored 3.1"),
        event("run", "scored", "scored 3.1"),  # of two runs
        event("state", "dropped", "no"),
        event("letter", None, "no", "ada@box"),
        event("run", None, ""),
        event("state", "queued", "again"),
    ]
    assert told_once(events) == events


async def test_a_merge_is_one_event_of_those_that_people_look_at(tmp_path: Path) -> None:
    lab = await make_wins(tmp_path / "lab")
    async with Writer(lab.database) as store:
        await store.adopt_master("a" * 40, 0, "a commit of a person's own")
        told = [(one.kind, one.experiment_id) for one in await events_of_interest(store, "")]
    assert told[0] == ("master", 0) and ("master", 1) not in told
    assert told.count(("state", 1)) == 1 and told.count(("state", 2)) == 1
    shown = autolab("show", "1", str(lab.root)).stdout.splitlines()
    assert sum("autolab: a real gain" in line for line in shown) == 1
