"""Which scores count: those of one kind of device, and none that was refused as invalid, also in older databases."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from orchestrator.evidence import noise_of
from orchestrator.gains import beliefs_of
from orchestrator.review.wins import wins_of
from orchestrator.store.filters import understood
from orchestrator.store.migrations import MIGRATIONS
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Writer
from orchestrator.tracking.results_files import tsv
from orchestrator.views import baseline_of, results_json, valid_runs
from tests.store.ideas import a_measured_start, a_ready_experiment, scored_run


async def test_a_difference_is_taken_within_one_kind_of_device(tmp_path: Path) -> None:
    """A baseline measured on two kinds of device is two baselines."""
    async with Writer(tmp_path / "runs.db") as store:
        start = await store.add_start("aaa", "start", "the start")
        for device, score in (("slow", 3.0), ("fast", 2.0)):
            run = await store.begin_run(start, RunKind.BASELINE, 1, Place("cpu0", device, "bubblewrap"), "aaa")
            await store.end_run(run.id, Measurement("scored", "scored", score))
        number = await a_ready_experiment(store)
        experiment = await store.experiment(number)
        assert experiment is not None
        run = await store.begin_run(experiment, RunKind.SCREEN, 1, Place("cpu0", "fast", "bubblewrap"), "bbb")
        await store.end_run(run.id, Measurement("scored", "scored", 1.9))
        experiment = await store.experiment(number)
        assert experiment is not None and experiment.delta == pytest.approx(-0.1)
        assert await store.score_groups("slow") == [[3.0]] and len(await store.score_groups()) == 3


async def test_what_was_refused_as_invalid_counts_nowhere_and_has_no_score(tmp_path: Path) -> None:
    """Two runs that ignored their seed would add a degree of freedom without any spread."""
    async with Writer(tmp_path / "runs.db") as store:
        await a_measured_start(store)
        number = await a_ready_experiment(store)
        for kind, seed, state in ((RunKind.SCREEN, 1, State.SCORED), (RunKind.CONFIRM, 2, State.CONFIRMING)):
            await scored_run(store, number, kind, seed, "bbb", 2.5)
            await store.move(number, state, "on its way")
        before = noise_of(await store.score_groups())
        assert before is not None and before.freedom == 3 and number in await beliefs_of(store)
        await store.move(number, State.INVALID, "the assigned seed is ignored: seeds 1 and 2 gave the same score")
        after = noise_of(await store.score_groups())
        assert after is not None and after.freedom == 2 and after.deviation == pytest.approx(0.2)
        _, refused = await results_json(store)
        assert (refused["state"], refused["val_bpb"], refused["delta"]) == ("invalid", None, None)
        assert [run["val_bpb"] for run in refused["runs"]] == [None, None]
        assert number not in await beliefs_of(store) and not await store.results(only=understood("runs>0 id=1"))
        assert [run.val_bpb for run in await store.runs_of(number)] == [2.5, 2.5], "what was measured is kept"
        line = (await tsv(store)).splitlines()[2]
        assert line.split("\t")[1:2] + line.split("\t")[3:] == ["0.000000", "crash", "Rotary positions [invalid]"]
        await store.move(number, State.READY, "attempt 2", attempt=2, commit_id="bbb")
        await scored_run(store, number, RunKind.SCREEN, 1, "bbb", 2.6)
        again = await store.experiment(number)
        assert again is not None and again.val_bpb == pytest.approx(2.6), "the next attempt has a score of its own"
        assert sorted(map(len, await store.score_groups())) == [1, 3]


async def test_what_an_older_database_holds_of_invalid_results_is_mended_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with sqlite3.connect(path) as plain:
        for script in MIGRATIONS[:10]:
            plain.executescript(script)
        plain.executescript(
            "INSERT INTO experiments (id, title, hypothesis, source, variable, edit, author, team, state, reason,"
            " priority, attempt, commit_id, role_model, val_bpb, delta, created_at, updated_at) VALUES"
            " (1, 't', 'h', 's', '', '', 'a', 'none', 'invalid', 'r', 0, 2, 'bbb', '', 2.5, -0.5, '2026', '2026');"
            "INSERT INTO runs (id, experiment_id, attempt, kind, seed, commit_id, slot, outcome, reason, val_bpb,"
            " started_at) VALUES (1, 1, 1, 'screen', 1, 'bbb', 'cpu0', 'scored', '', 2.4, '2026'),"
            " (2, 1, 2, 'screen', 1, 'bbb', 'cpu0', 'scored', '', 2.5, '2026');"
            "PRAGMA user_version = 10"
        )
    async with Writer(path) as store:
        assert [run.counts for run in await store.runs_of(1)] == [True, False]
        found = await store.experiment(1)
        assert found is not None and (found.val_bpb, found.delta) == (None, None)


async def test_scores_differences_noise_and_beliefs_are_of_one_kind_of_device(tmp_path: Path) -> None:
    """Two kinds measure the same programs with scores and scatter of their own; no mean is taken over both."""
    async with Writer(tmp_path / "runs.db") as store:

        async def scored(number: int, kind: RunKind, device: str, *scores: float) -> None:
            experiment = await store.experiment(number)
            assert experiment is not None and experiment.commit_id is not None
            for seed, score in enumerate(scores, start=1):
                place = Place("cpu0", device, "bubblewrap")
                run = await store.begin_run(experiment, kind, seed, place, experiment.commit_id)
                await store.end_run(run.id, Measurement("scored", "scored", score))

        start = await store.add_start("aaa", "start", "the start")
        await scored(0, RunKind.BASELINE, "slow", 3.0, 3.2, 3.4, 3.2)
        await scored(0, RunKind.BASELINE, "fast", 2.00, 2.01, 2.02)
        assert (await baseline_of(store)).val_bpb == pytest.approx(3.2), "the kind that most of its runs were on"
        number = await a_ready_experiment(store)
        await scored(number, RunKind.SCREEN, "fast", 1.90)
        await store.move(number, State.SCORED, "scored")
        await store.move(number, State.CONFIRMING, "worth another seed")
        await scored(number, RunKind.CONFIRM, "fast", 1.92)
        won = await store.promote(number, "mmm", "a real gain")
        await scored(number, RunKind.BASELINE, "slow", 3.0, 3.0, 3.0, 3.1)
        seen = await store.experiment(number)
        assert seen is not None and won.ground == seen.ground == "fast", "where it was decided, not where most runs are"
        assert seen.val_bpb == pytest.approx(1.91) and seen.delta == pytest.approx(-0.10)
        assert len(valid_runs(seen, await store.runs_of(number))) == 2
        assert [one.id for one in await store.results(only=understood("runs=2"))] == [number]
        master = await baseline_of(store)
        assert (master.ground, master.runs, master.start_bpb) == ("fast", 2, pytest.approx(2.01))
        assert master.gain == pytest.approx(0.10) and master.noise is not None and master.noise < 0.02
        believed = (await beliefs_of(store))[number]
        assert believed.deviation < 0.02, "by the scatter of its own kind"
        [win] = await wins_of(store)
        assert (win.score.mean, win.before.mean) == (pytest.approx(1.91), pytest.approx(2.01))
        assert start.id == win.before_id


async def test_scores_of_an_older_database_are_brought_to_one_kind_of_device(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    columns = (
        "(id, title, hypothesis, source, variable, edit, author, team, state, reason, priority, attempt, parent,"
        " commit_id, role_model, val_bpb, delta, created_at, updated_at)"
    )
    with sqlite3.connect(path) as plain:
        for script in MIGRATIONS[:11]:
            plain.executescript(script)
        for number, parent, commit, score in ((0, None, "aaa", 2.8), (1, "aaa", "bbb", 2.2)):
            plain.execute(
                f"INSERT INTO experiments {columns} VALUES (?, 't', 'h', 's', '', '', 'a', 'none', 'discarded', 'r', 0,"
                " 1, ?, ?, '', ?, -0.6, '2026', '2026')",
                (number, parent, commit, score),
            )
        plain.execute("INSERT INTO masters (commit_id, experiment_id, at) VALUES ('aaa', 0, '2026')")
        for number, commit, kind, device, score in (
            (0, "aaa", "baseline", "slow", 3.2),
            (0, "aaa", "baseline", "fast", 2.0),
            (0, "aaa", "baseline", "slow", 3.2),
            (1, "bbb", "screen", "fast", 1.9),
            (1, "bbb", "baseline", "slow", 2.5),
        ):
            plain.execute(
                "INSERT INTO runs (experiment_id, attempt, kind, seed, commit_id, slot, outcome, reason, val_bpb,"
                " device, started_at) VALUES (?, 1, ?, 1, ?, 'cpu0', 'scored', '', ?, ?, '2026')",
                (number, kind, commit, score, device),
            )
        plain.execute("PRAGMA user_version = 11")
    async with Writer(path) as store:
        start, experiment = await store.results(sort="id", descending=False)
        assert (start.ground, start.val_bpb, start.delta) == ("slow", pytest.approx(3.2), None)
        assert (experiment.ground, experiment.val_bpb, experiment.delta) == ("fast", 1.9, pytest.approx(-0.1))
