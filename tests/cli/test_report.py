"""The report: what a lab won, as Markdown and a picture, whatever stands in the titles."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from matplotlib.figure import Figure

from orchestrator.lab import Lab
from orchestrator.report.facts import facts_of
from orchestrator.report.notebook import notebook
from orchestrator.report.picture import keep_in_view
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer
from tests.command_line import autolab

PNG = b"\x89PNG\r\n\x1a\n"


async def history_of(lab: Lab) -> None:
    """A baseline, a win with a title that plays tricks on Markdown, and a near miss."""
    async with Writer(lab.database) as store:
        start = await store.experiment(0)
        assert start is not None and start.commit_id is not None
        place = Place("cpu0", "a core", "bubblewrap")

        async def run(experiment_id: int, kind: RunKind, score: float) -> None:
            experiment = await store.experiment(experiment_id)
            assert experiment is not None and experiment.commit_id is not None
            begun = await store.begin_run(experiment, kind, 1, place, experiment.commit_id)
            await store.end_run(begun.id, Measurement("scored", "scored", score))

        for score in (3.01, 3.00, 2.99):
            await run(0, RunKind.BASELINE, score)
        for title, score, state in (("A | pipe, $x$ and *stars*", 2.5, "won"), ("Nearly", 2.99, "missed")):
            made = await store.add_experiment(
                Proposal(title, "It may help.", "arXiv:2104.09864"), author="a test", team="none", state=State.QUEUED
            )
            commit = f"{made.id:040x}"
            await store.move(made.id, State.READY, "ready", commit_id=commit, parent=start.commit_id)
            await run(made.id, RunKind.SCREEN, score)
            await store.move(made.id, State.SCORED, "scored")
            if state == "won":
                await store.move(made.id, State.CONFIRMING, "again")
                await store.promote(made.id, f"{made.id + 100:040x}", "a real gain")
            else:
                await store.move(made.id, State.DISCARDED, "within noise")


async def notebook_of(lab: Lab) -> str:
    async with Writer(lab.database) as store:
        return notebook(await facts_of(lab, store), await store.in_states([State.DISCARDED]), [], [])


def test_nothing_in_the_picture_stands_on_its_edge() -> None:
    axes = Figure().add_subplot()
    keep_in_view(axes, [3.0, 2.0, 50.0], [3.0, 2.0])
    low, high = axes.get_ylim()
    assert low < 2.0 and 3.0 < high < 50.0


def test_the_report_of_a_metric_that_is_maximised_says_that_its_sign_is_changed(bare: Path) -> None:
    async def maximise() -> None:
        async with Writer(Lab(bare).database) as store:
            await store.set_meta("target", "script")
            await store.set_meta("direction", "maximise")

    asyncio.run(maximise())
    asyncio.run(history_of(Lab(bare)))
    made = autolab("report", str(bare), "--json")
    assert made.returncode == 0, made.stderr
    text = Path(json.loads(made.stdout)["markdown"]).read_text()
    assert "**Self-reported**" in text and "The sign of what is maximised is changed: less is better." in text


def test_the_report_tells_wins_and_near_misses_and_draws_them(lab: Path) -> None:
    asyncio.run(history_of(Lab(lab)))
    made = autolab("report", str(lab), "--json")
    assert made.returncode == 0, made.stderr
    paths = json.loads(made.stdout)
    assert Path(paths["picture"]).read_bytes().startswith(PNG)
    text = Path(paths["markdown"]).read_text()
    wins, misses = text.split("## Wins")[1].split("## Near misses")
    assert r"A \| pipe, $x$ and \*stars\*" in wins and "2.5000" in wins and "-0.5000" in wins
    assert "\n- 1 merged, 1 discarded\n" in text or "\n- 1 discarded, 1 merged\n" in text
    assert "Nearly" in misses and "Nearly" not in wins
    noted = asyncio.run(notebook_of(Lab(lab)))
    misses, failed = noted.split("## Near misses")[1].split("## Do not repeat")
    assert "Nearly" in misses and "Nothing yet." in failed, "a near miss is worth another try"
    assert "scores **2.5000** (mean of 1 run," in text and "2 experiments came to an outcome in 5 runs, " in text


def test_a_lab_that_has_measured_nothing_gets_a_report_without_a_picture(lab: Path) -> None:
    told = autolab("report", str(lab))
    assert told.returncode == 0, told.stderr
    assert "Master has not been measured yet." in told.stdout
    assert "\n- no experiment yet\n" in told.stdout and "promoted" not in told.stdout.split("## What came of")[1]
    assert "![" not in told.stdout and not list((lab / ".autolab" / "report").glob("*.png"))


def test_a_place_that_cannot_be_written_is_one_sentence(lab: Path) -> None:
    (lab / "taken").write_text("a file")
    told = autolab("report", str(lab), "--out", str(lab / "taken"))
    assert told.returncode == 1 and told.stderr.count("\n") == 1
    assert "cannot be written" in told.stderr and "--out" in told.stderr
