"""Whose turn it is: equal shares of slot time whatever the runs' lengths, weights, and newcomers that begin level."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.measurement.fair_share import Account, accounts_of, credit, in_turn
from orchestrator.measurement.judging import Judging
from orchestrator.measurement.measuring import Measuring
from orchestrator.store.records import Experiment, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal
from tests.conftest import set_key


def served(shares: dict[str, float], lengths: dict[str, float], runs: int) -> dict[str, float]:
    """Slot seconds of each team after so many runs on one slot, when everybody always has something to run."""
    noise = Random(1)
    accounts = [Account(team, share, 0.0) for team, share in shares.items()]
    for _ in range(runs):
        turn = in_turn(accounts)[0]
        took = lengths[turn] * noise.uniform(0.5, 1.5)
        accounts = [replace(one, seconds=one.seconds + took) if one.team == turn else one for one in accounts]
    return {one.team: one.seconds for one in accounts}


def test_teams_get_equal_time_although_their_runs_are_of_unlike_length() -> None:
    had = served({"a": 1, "b": 1, "c": 1}, {"a": 10, "b": 300, "c": 60}, 2000)
    assert max(had.values()) - min(had.values()) <= 450, "never apart by more than the longest run"


def test_a_share_of_two_gets_twice_the_time() -> None:
    had = served({"a": 2, "b": 1}, {"a": 50, "b": 50}, 900)
    assert had["a"] / had["b"] == pytest.approx(2, rel=0.02)


def test_those_alike_keep_their_order_and_who_is_owed_most_comes_first() -> None:
    assert in_turn([Account("b", 1, 5), Account("a", 1, 5), Account("c", 1, 4)]) == ["c", "b", "a"]


def test_a_team_that_had_nothing_to_run_is_owed_its_time() -> None:
    waited, ran = Account("slow", 1, 100), Account("quick", 1, 400)
    assert in_turn([ran, waited]) == ["slow", "quick"]


def test_a_newcomer_begins_level_with_the_lowest() -> None:
    others = [Account("a", 1, 900), Account("b", 2, 1000)]
    assert credit(3, others) == 1500 and credit(1, []) == 0
    late = Account("late", 3, credit(3, others))
    assert late.level == min(one.level for one in others)


def test_in_a_lab_the_slots_go_to_the_team_that_has_had_least(bare: Path) -> None:
    """`offline` has runs of 90 s, `solo` of 30 s; both always have something ready."""
    set_key(bare, "teams", '["offline", "solo"]')

    async def play() -> None:
        async with opened(Lab(bare)) as context:
            await Judging(context).follow_master()
            start = await context.master()
            for number in range(6):
                for team in ("offline", "solo"):
                    await ready(context, team, f"idea {number} of {team}", start.commit_id)
            measuring, had = Measuring(context), Counter[str]()
            for _ in range(8):
                wanted = await measuring._wanted_screen()
                assert wanted is not None
                experiment = wanted.experiment
                took = 90 if experiment.team == "offline" else 30
                await ended(context, experiment, took)
                had[experiment.team] += took
            assert had == {"offline": 180, "solo": 180}
            person = await ready(context, "person", "a person's own", start.commit_id, priority=100)
            wanted = await measuring._wanted_screen()
            assert wanted is not None and wanted.experiment.id == person.id

    asyncio.run(play())


def test_a_share_that_is_changed_at_work_holds_from_then_on_and_settles_no_old_account(bare: Path) -> None:
    set_key(bare, "teams", '["offline", "solo"]')

    async def levels() -> dict[str, float]:
        async with opened(Lab(bare)) as context:
            return {account.team: account.level for account in await accounts_of(context)}

    async def play() -> None:
        async with opened(Lab(bare)) as context:
            await Judging(context).follow_master()
            start = await context.master()
            await accounts_of(context)
            for team in ("offline", "solo"):
                for number in range(2):
                    await ended(context, await ready(context, team, f"{number}", start.commit_id), 60)

    asyncio.run(play())
    before = asyncio.run(levels())
    assert before["offline"] == pytest.approx(before["solo"]) == pytest.approx(120, abs=1)
    with (bare / "autolab.toml").open("a") as file:
        file.write("\n[teams.solo]\nkind = 'solo'\nshare = 3\n")
    for _ in range(2):
        assert asyncio.run(levels()) == pytest.approx(before), "nobody is owed anything for what was"


async def ready(context: Context, team: str, title: str, commit: str, priority: int = 0) -> Experiment:
    made = await context.store.add_experiment(
        Proposal(title, "h", "s"), author="a", team=team, state=State.QUEUED, priority=priority
    )
    await context.store.move(made.id, State.PATCHING, "t")
    words = {"commit_id": commit, "parent": commit, "branch": f"exp/{made.id}"}
    return await context.store.move(made.id, State.READY, "t", **words)


async def ended(context: Context, experiment: Experiment, seconds: int) -> None:
    store = context.store
    assert experiment.commit_id is not None
    run = await store.begin_run(experiment, RunKind.SCREEN, 1, Place("cpu0", "CPU core", "off"), experiment.commit_id)
    await store.end_run(run.id, Measurement("crash", "by the test"))
    await store.connection.execute(
        "UPDATE runs SET started_at = '2026-01-01T00:00:00.000Z', ended_at = ? WHERE id = ?",
        (f"2026-01-01T00:{seconds // 60:02d}:{seconds % 60:02d}.000Z", run.id),
    )
    await store.move(experiment.id, State.CRASHED, "by the test")
