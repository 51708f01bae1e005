"""The comparison of teams on a store that is made up: what was merged, what it cost, and how sure the figures are."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from orchestrator.comparison import comparison_json, comparison_of
from orchestrator.comparison.intervals import around, rate, resampled, share_of
from orchestrator.store.agents import StoredCall
from orchestrator.store.records import Experiment, RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer

SEEDS = 3
START = "0" * 40


class MadeUp:
    """A lab's store without a lab: every run takes as long as it is told to."""

    def __init__(self, store: Writer) -> None:
        self.store = store
        self.head = START

    async def start(self, score: float) -> None:
        start = await self.store.add_start(START, "start", "made up")
        await self._runs(start, RunKind.BASELINE, [score - 0.01, score, score + 0.01], 100)

    async def experiment(self, team: str, score: float, seconds: float, *, wins: bool = False) -> int:
        """One that ran once (or, when it wins, three times) and is discarded or merged."""
        made = await self.store.add_experiment(Proposal(f"idea of {team}", "h", "s"), author="a", team=team)
        for state in (State.QUEUED, State.PATCHING, State.READY):
            await self.store.move(made.id, state, "made up")
        commit = f"{made.id:040x}"
        await self.store.annotate(
            made.id, "made up", actor="a", commit_id=commit, parent=self.head, branch=f"exp/{made.id}"
        )
        made = await self._known(made.id)
        spread = [score - 0.01, score, score + 0.01] if wins else [score]
        await self._runs(made, RunKind.SCREEN, spread[:1], seconds)
        await self.store.move(made.id, State.SCORED, "made up")
        if not wins:
            await self.store.move(made.id, State.DISCARDED, "made up")
            return made.id
        await self.store.move(made.id, State.CONFIRMING, "made up")
        await self._runs(await self._known(made.id), RunKind.CONFIRM, spread[1:], seconds)
        self.head = f"{10_000 + made.id:040x}"
        await self.store.promote(made.id, self.head, "made up")
        return made.id

    async def _known(self, number: int) -> Experiment:
        found = await self.store.experiment(number)
        assert found is not None
        return found

    async def _runs(self, made: Experiment, kind: RunKind, scores: list[float], seconds: float) -> None:
        assert made.commit_id is not None
        for seed, score in enumerate(scores, start=1):
            run = await self.store.begin_run(made, kind, seed, Place("cpu0", "CPU core", "off"), made.commit_id)
            await self.store.end_run(run.id, Measurement("scored", "made up", score))
            await self.store.connection.execute(
                "UPDATE runs SET started_at = '2026-01-01T00:00:00.000Z',"
                " ended_at = strftime('%Y-%m-%dT%H:%M:%fZ', '2026-01-01', ? || ' seconds') WHERE id = ?",
                (seconds, run.id),
            )

    async def call(self, team: str, role: str, model: str, outcome: str, money: float = 0.0) -> None:
        words = ("", "[]", 100, 20, 0, money, 1.0, None, "stop", outcome, "[]", team)
        await self.store.add_call(StoredCall(f"{team}.{role}", role, "a job", None, model, "hash", *words))


async def made_up(place: Path) -> Writer:
    """`able` wins twice in four experiments, `idle` never in six; `able` pays."""
    store = await Writer(place / "runs.db").open()
    lab = MadeUp(store)
    await lab.start(3.0)
    for score, wins in ((2.7, True), (2.9, False), (2.4, True), (2.8, False)):
        await lab.experiment("able", score, 900, wins=wins)
    for score in (3.1, 3.0, 2.95, 3.05, 2.99, 3.02):
        await lab.experiment("idle", score, 600)
    await lab.experiment("person", 2.0, 600)
    for outcome in ("went on", "finished", "went on", "finished"):
        await lab.call("able", "worker", "m", outcome, money=0.5)
    await lab.call("idle", "worker", "offline", "went on")
    await store.event("agent", "idle.worker", "gave up a job: no idea")
    await lab.call("idle", "planner", "silent", "failed")
    await store.event("agent", "idle.planner", "gave up a job: no server")
    return store


def test_the_figures_of_a_made_up_lab_are_what_its_rows_say(tmp_path: Path) -> None:
    async def play() -> None:
        store = await made_up(tmp_path)
        try:
            found = await comparison_of(store)
        finally:
            await store.close()
        able, idle = found.teams
        assert (able.team, able.outcomes, able.promotions) == ("able", 4, 2)
        assert (idle.team, idle.outcomes, idle.promotions) == ("idle", 6, 0)
        assert able.raw_gain == pytest.approx(0.6) and 0 < able.believed_gain.value <= able.raw_gain + 1e-9
        assert able.slot_hours == pytest.approx(8 * 900 / 3600) and idle.slot_hours == pytest.approx(1.0)
        hourly = able.gain_per_slot_hour
        assert hourly is not None and hourly.value == pytest.approx(able.believed_gain.value / 2)
        assert hourly.low < hourly.value < hourly.high
        assert able.money == 2.0 and able.tokens == 480 and able.gain_per_money is not None
        assert able.gain_per_money.value == pytest.approx(able.believed_gain.value / 2)
        assert idle.gain_per_money is None and idle.gain_per_slot_hour is not None
        assert able.leads is not None and able.leads > 0.9 and idle.leads is not None and idle.leads < 0.1
        assert {(one.team, one.model, one.finished, one.failed) for one in found.completions} == {
            ("able", "m", 2, 0),
            ("idle", "offline", 0, 1),
        }
        told = json.loads(json.dumps(comparison_json(found)))
        assert [team["team"] for team in told["teams"]] == ["able", "idle"], "a person is no team"

    asyncio.run(play())


def test_a_lab_without_any_team_has_nothing_to_compare(tmp_path: Path) -> None:
    async def play() -> None:
        async with Writer(tmp_path / "runs.db") as store:
            assert (await comparison_of(store)).teams == ()

    asyncio.run(play())


def test_shares_have_wilsons_interval_and_nothing_counted_has_none() -> None:
    share = share_of(3, 10)
    assert (
        share is not None
        and share.low == pytest.approx(0.1078, abs=1e-3)
        and share.high == pytest.approx(0.6032, abs=1e-3)
    )
    assert share_of(0, 0) is None


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    from random import Random

    noise, inside = Random(3), 0
    for trial in range(60):
        rows = [(noise.expovariate(1.0), noise.uniform(50, 150)) for _ in range(60)]
        gains, costs = resampled(rows, str(trial))
        value = sum(gain for gain, _ in rows) / sum(cost for _, cost in rows)
        found = around(value, rate(gains, costs))
        inside += found.low <= 0.01 <= found.high
    assert inside >= 51, "at least 85 of 100, where 95 are meant: few experiments, skewed gains"


def test_the_same_store_gives_the_same_figures() -> None:
    rows = [(0.1, 10.0), (0.0, 12.0), (0.3, 9.0)]
    assert (resampled(rows, "a")[0] == resampled(rows, "a")[0]).all()
