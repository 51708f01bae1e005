"""What a lab writes of itself: runs, alerts and figures in Trackio, results in files; and what a failure costs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from orchestrator.history import COLUMNS, Status, parse_results
from orchestrator.store.agents import StoredCall
from orchestrator.store.records import Level
from orchestrator.watching.fleet import Fleet
from orchestrator.watching.tracking import PROJECT, Tracking
from tests.tracking.bench_lab import bare_lab, ended_run, rows_in

CALL = StoredCall(
    "worker-1",
    "worker",
    "a job",
    None,
    "a model",
    "",
    "x" * 20_000,
    "[]",
    100,
    20,
    0,
    0.25,
    1.0,
    None,
    "stop",
    "",
    "[]",
)


def test_a_lab_writes_runs_alerts_figures_and_files_and_a_renamed_lab_keeps_its_project(tmp_path: Path) -> None:
    root = tmp_path / "lab"

    async def play() -> None:
        async with bare_lab(root) as context:
            run = await ended_run(context, 2.5)
            await context.store.event("anomaly", "autolab", "a plateau")
            await context.store.add_call(CALL)
            tracking = Tracking(context)
            assert await tracking.flush()
            assert await context.store.untracked_runs() == []
            await tracking.finish()
            assert await context.store.meta(PROJECT) == "lab"
            name = f"exp-1-screen-seed1-run{run.id}"
            assert {row["run_name"] for row in rows_in(root, "metrics", f"run-{run.id}")} == {name}
        renamed = root.rename(tmp_path / "other")
        async with bare_lab(renamed) as context:
            tracking = Tracking(context)
            await context.store.event("lab", "autolab", "nothing new starts", after=Level.ERROR)
            await tracking.finish()

    asyncio.run(play())
    root = tmp_path / "other"
    values = json.loads(rows_in(root, "metrics", "fleet")[0]["metrics"])
    assert values["results/anomalies"] == 1 and values["spent/tokens_in"] == 100 and values["spent/money"] == 0.25
    alerts = [(row["level"], row["text"]) for row in rows_in(root, "alerts", "fleet")]
    assert alerts == [("warn", "a plateau"), ("error", "nothing new starts")]
    assert len((root / ".autolab" / "results.tsv").read_text().splitlines()) == 2
    results = json.loads((root / ".autolab" / "results.json").read_text())
    assert {one["id"]: one["val_bpb"] for one in results} == {0: None, 1: 2.5}


def test_what_cannot_be_written_is_told_once_and_written_when_it_can_be(tmp_path: Path) -> None:
    async def play() -> None:
        async with bare_lab(tmp_path) as context:
            await ended_run(context, 2.5)
            context.lab.trackio.write_text("a file in the way")
            tracking = Tracking(context)
            assert not await tracking.flush() and not await tracking.flush()
            events = await context.store.events()
            sentences = [event for event in events if "are behind" in event.reason]
            assert [event.after for event in sentences] == ["warn"]
            assert len(await context.store.untracked_runs()) == 1
            context.lab.trackio.unlink()
            assert await tracking.flush()
            assert await context.store.untracked_runs() == []
            await tracking.finish()

    asyncio.run(play())
    assert len(rows_in(tmp_path, "metrics", "run-1")) == 4
    assert rows_in(tmp_path, "metrics", "fleet")


def test_the_figures_of_the_fleet_are_the_lab_s_and_count_on_from_where_they_were(tmp_path: Path) -> None:
    async def play() -> None:
        async with bare_lab(tmp_path) as context:
            fleet = Fleet(context.store)
            empty = (await fleet.point()).values
            assert empty["fleet/active_runs"] == 0 and "score/best_val_bpb" not in empty
            for _ in range(2):
                await context.store.add_call(CALL)
                await context.store.event("anomaly", "autolab", "odd")
                point = await fleet.point()
            assert (point.values["spent/tokens_out"], point.values["results/anomalies"]) == (40, 2)
            assert (await Fleet(context.store).point()).values["spent/tokens_out"] == 40
            assert point.step >= 0 and await fleet.step_at("2000-01-01T00:00:00.000Z") == 0

    asyncio.run(play())


def test_results_are_in_autoresearch_s_columns_and_come_back_as_they_were(tmp_path: Path) -> None:
    async def play() -> None:
        from orchestrator.tracking.results_files import tsv

        async with bare_lab(tmp_path) as context:
            await ended_run(context, 2.5, title='A "quoted"\tidea, with\n a break')
            await ended_run(context, None, title="It crashes")
            text = await tsv(context.store)
        assert text.splitlines()[0] == "commit\tval_bpb\tmemory_gb\tstatus\tdescription" == "\t".join(COLUMNS)
        first, second = parse_results(text)
        assert (first.score, first.status, first.description) == (2.5, Status.DISCARD, 'A "quoted" idea, with a break')
        assert (second.score, second.status, second.description) == (None, Status.CRASH, "It crashes")

    asyncio.run(play())
