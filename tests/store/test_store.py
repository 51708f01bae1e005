"""runs.db: one writer, readers beside it, append-only events, and files that cannot be used."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.errors import LabError
from orchestrator.store.filters import understood
from orchestrator.store.migrations import MIGRATIONS
from orchestrator.store.reader import Reader
from orchestrator.store.records import RunKind
from orchestrator.store.states import NOT_STARTED, STOPPED, IllegalMove, State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer
from orchestrator.views import runs_per_hour
from tests.store.ideas import IDEA, a_measured_start, a_ready_experiment, scored_run


async def test_the_start_is_experiment_0_and_ids_count_up_from_1(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        start = await store.add_start("aaa", "start", "the start")
        first = await store.add_experiment(IDEA, author="researcher", team="offline")
        assert (start.id, start.title, start.state) == (0, "start", State.PROMOTED)
        assert first.id == 1


async def test_the_score_is_the_mean_of_valid_runs_and_the_delta_is_against_the_parents_mean(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        await a_measured_start(store)
        number = await a_ready_experiment(store)
        await scored_run(store, number, RunKind.SCREEN, 1, "bbb", 2.5)
        experiment = await store.experiment(number)
        assert experiment is not None
        assert experiment.val_bpb == pytest.approx(2.5)
        assert experiment.delta == pytest.approx(2.5 - 3.2)


async def test_a_baseline_run_that_ends_later_changes_the_deltas_that_rest_on_it(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        await store.add_start("aaa", "start", "the start")
        await scored_run(store, 0, RunKind.BASELINE, 1, "aaa", 3.0)
        number = await a_ready_experiment(store)
        await scored_run(store, number, RunKind.SCREEN, 1, "bbb", 2.5)
        await scored_run(store, 0, RunKind.BASELINE, 2, "aaa", 4.0)
        experiment = await store.experiment(number)
        assert experiment is not None and experiment.delta == pytest.approx(2.5 - 3.5)


async def test_an_illegal_move_changes_nothing(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        experiment = await store.add_experiment(IDEA, author="researcher", team="offline")
        events = len(await store.events())
        with pytest.raises(IllegalMove):
            await store.move(experiment.id, State.PROMOTED, "cheating")
        after = await store.experiment(experiment.id)
        assert after is not None and after.state is State.PROPOSED
        assert len(await store.events()) == events


async def test_every_change_of_state_leaves_an_event_with_its_reason(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        number = await a_ready_experiment(store)
        told = [(event.before, event.after, event.reason) for event in await store.events(experiment_id=number)]
        assert told == [
            (None, "proposed", "proposed by researcher"),
            ("proposed", "queued", "planned"),
            ("queued", "patching", "patching"),
            ("patching", "ready", "approved"),
        ]


async def test_events_can_be_neither_changed_nor_deleted(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        await store.event("lab", "autolab", "something happened")
    with sqlite3.connect(tmp_path / "runs.db") as plain:
        for sql in ("UPDATE events SET reason = 'nothing'", "DELETE FROM events"):
            with pytest.raises(sqlite3.DatabaseError, match="append-only"):
                plain.execute(sql)


async def test_a_run_ends_once(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        start = await store.add_start("aaa", "start", "the start")
        run = await store.begin_run(start, RunKind.BASELINE, 1, Place("cpu0", "a core", "bubblewrap"), "aaa")
        await store.end_run(run.id, Measurement("scored", "ok", 3.0))
        with pytest.raises(AssertionError):
            await store.end_run(run.id, Measurement("lost", "again"))
        ended = await store.run(run.id)
        assert ended is not None and ended.outcome == "scored"


async def test_runs_an_hour_leave_out_what_was_stopped_with_the_lab(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        number = await a_ready_experiment(store)
        await scored_run(store, number, RunKind.SCREEN, 1, "bbb", 2.5)
        now = datetime.now(UTC)
        assert await runs_per_hour(store, now) == pytest.approx(60)
        for outcome, rate in ((STOPPED, 60), (NOT_STARTED, 60), ("crashed", 120)):
            experiment = await store.move(number, State.READY, "asked for again")
            run = await store.begin_run(experiment, RunKind.SCREEN, 1, Place("cpu0", "a core", "off"), "bbb")
            await store.end_run(run.id, Measurement(outcome, "by the test"))
            assert await runs_per_hour(store, now) == pytest.approx(rate)


async def test_a_reader_sees_a_commit_and_the_data_version_tells_of_it(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store, Reader(tmp_path / "runs.db") as reader:
        before = await reader.data_version()
        assert await reader.data_version() == before
        await store.add_start("aaa", "start", "the start")
        assert await reader.data_version() != before
        assert (await reader.results())[0].title == "start"


async def test_a_command_waits_until_it_is_answered(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store, Reader(tmp_path / "runs.db") as reader:
        number = await reader.post_command("kill", {"id": 3}, "me@here")
        assert (await reader.answer(number, timeout=0.0)).state == "waiting"
        [command] = await store.waiting_commands()
        await store.answer_command(command, False, "experiment 3 is not there")
        answered = await reader.answer(number, timeout=1.0)
        assert (answered.state, answered.answer) == ("refused", "experiment 3 is not there")
        assert not await store.waiting_commands()


async def test_a_command_is_taken_back_until_it_is_begun_and_is_not_begun_after_that(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store, Reader(tmp_path / "runs.db") as reader:
        for verb in ("kill", "drop"):
            await reader.post_command(verb, {"id": 3}, "me@here")
        kill, drop = await store.waiting_commands()
        assert await reader.withdraw_command(kill) and not await reader.withdraw_command(kill)
        assert await store.begin_command(kill) is None
        assert await store.begin_command(drop) == 0
        assert not await reader.withdraw_command(drop)
        assert [one.id for one in await store.waiting_commands()] == [drop.id]


async def test_results_are_searched_sorted_and_cut_in_the_database(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        await store.add_start("aaa", "start", "the start")
        for number in range(30):
            made = await store.add_experiment(
                Proposal(f"Idea {number}", "because it may", "own"), author="researcher", team="t"
            )
            await store.move(made.id, State.DROPPED, "dropped: too many")
        assert len(await store.results(limit=10)) == 10
        assert [e.title for e in await store.results(only=understood('"Idea 17"'))] == ["Idea 17"]
        assert [e.id for e in await store.results(sort="id", descending=False)][:2] == [0, 1]


async def test_a_database_of_a_newer_version_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with sqlite3.connect(path) as plain:
        plain.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        plain.execute("CREATE TABLE future (x)")
    before = path.read_bytes()
    for kind in (Reader, Writer):
        with pytest.raises(LabError, match="newer Autolab"):
            await kind(path).open()
    assert path.read_bytes() == before


async def test_a_damaged_database_is_told_with_a_remedy_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(b"this is no database, whatever its name says" * 100)
    with pytest.raises(LabError, match="damaged") as told:
        await Writer(path).open()
    assert told.value.remedy
    assert path.read_bytes().startswith(b"this is no database")


async def test_a_locked_database_is_told_as_locked(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with Writer(path) as store:
        await store.connection.execute("PRAGMA busy_timeout = 50")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LabError, match="locked"):
            await store.event("lab", "autolab", "never written")
        other.execute("ROLLBACK")
        other.close()
        await store.event("lab", "autolab", "written")


async def test_a_missing_database_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="autolab start"):
        await Reader(tmp_path / "runs.db").open()


async def test_a_task_cancelled_at_any_moment_of_a_write_leaves_the_store_able_to_write(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        for steps in range(40):
            task = asyncio.create_task(store.event("note", "engine", f"begun {steps}"))
            for _ in range(steps):
                await asyncio.sleep(0.0001 if steps % 2 else 0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await store.event("note", "engine", f"after {steps}")
        told = [event.reason for event in await store.events()]
    assert [reason for reason in told if reason.startswith("after")] == [f"after {steps}" for steps in range(40)]
    begun = [reason for reason in told if reason.startswith("begun")]
    assert len(begun) == len(set(begun)) < 40, "some were cancelled in time, and none was written twice"


async def test_what_is_read_while_something_is_written_is_whole(tmp_path: Path) -> None:
    """Readers and writer of a daemon share a connection: a query is never half before a change and half behind it."""
    ring = (State.PROPOSED, State.QUEUED, State.PATCHING, State.READY, State.DROPPED)
    async with Writer(tmp_path / "runs.db") as store:
        await store.add_start("aaa", "start", "the start")
        ids = [
            (await store.add_experiment(Proposal(f"idea {n}", "b", "c"), author="researcher", team="t")).id
            for n in range(6)
        ]
        for number in ids:
            for state in ring[1 : number % 5 + 1]:
                await store.move(number, state, "in its place")
        at_work, chance = True, random.Random(1)

        async def count() -> None:
            while at_work:
                for _ in range(chance.randrange(9)):  # out of step with the writer
                    await asyncio.sleep(0)
                assert sum((await store.counts()).values()) == 7

        async def turn() -> None:
            nonlocal at_work
            for step in range(1, 61):
                for number in ids:
                    await store.move(number, ring[(number + step) % 5], "goes on")
            at_work = False

        async with asyncio.TaskGroup() as tasks:
            for _ in range(2):
                tasks.create_task(count())
            tasks.create_task(turn())
