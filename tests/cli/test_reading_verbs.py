"""The verbs that read, in a pipe: headings, columns between tabs, and a word where there is nothing to list."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path

import pytest

from orchestrator.lab import Lab
from orchestrator.store.writer import Writer
from tests.command_line import autolab
from tests.tui.lab_maker import make_lab
from tests.tui.room_lab import make_empty_lab
from tests.tui.test_wins import make_wins


@pytest.fixture
def young(tmp_path: Path) -> str:
    """A lab made just now, without a win."""
    return str(asyncio.run(make_empty_lab(tmp_path / "young")).root)


@pytest.fixture
def won(tmp_path: Path) -> str:
    """A lab with two wins."""
    return str(asyncio.run(make_wins(tmp_path / "won")).root)


def test_a_review_has_headings_and_tells_of_no_wins(young: str, won: str) -> None:
    nothing = autolab("review", young)
    assert nothing.returncode == 0 and nothing.stdout == "Master has taken no change yet.\n"
    assert json.loads(autolab("review", young, "--json").stdout) == []
    heading, *rows = [line.split("\t") for line in autolab("review", won).stdout.splitlines()]
    assert heading == ["order", "id", "val_bpb", "gain", "review", "title"]
    assert [row[1] for row in rows] == ["1", "2"] and all(len(row) == len(heading) for row in rows)


def test_a_comparison_is_in_columns_like_the_other_tables(tmp_path: Path) -> None:
    lab = asyncio.run(make_lab(tmp_path / "lab", 6))
    teams, jobs = autolab("compare", str(lab.root)).stdout.split("\n\n")
    heading, *rows = [line.split("\t") for line in teams.splitlines()]
    assert heading[0] == "figure" and len(heading) > 1
    assert rows[0][0] == "outcomes" and all(len(row) == len(heading) for row in rows)
    assert jobs.splitlines()[0].split("\t") == ["team", "role", "model", "jobs ended", "completed"]


def test_a_morning_goes_back_no_further_than_the_lab(young: str) -> None:
    first = autolab("morning", young).stdout.splitlines()[0]
    assert first.startswith("since\tthe lab began, 0 min ago (")


def test_every_table_tells_a_moment_alike(young: str) -> None:
    async def happen() -> str:
        async with Writer(Lab(Path(young)).database) as store:
            await store.event("anomaly", "autolab", "no free space")
            await store.add_note("findings", "reviewer", "wider is better")
            return (await store.newest_events("anomaly", 1))[0].at

    minute = asyncio.run(happen())[:16].replace("T", " ")
    assert f"anomaly\t{minute}\tno free space" in autolab("morning", young).stdout
    assert f"findings\t{minute}\twider is better" in autolab("morning", young).stdout
    assert f"{minute}\tanomaly\t\tno free space" in autolab("events", young).stdout
    assert f"- {minute} no free space" in autolab("report", young).stdout


def test_what_an_experiment_does_not_have_yet_is_a_dash(bare: Path) -> None:
    assert autolab("add", str(bare), "--title", "T", "--hypothesis", "h").returncode == 0
    told = [line.split() for line in autolab("show", "1", str(bare)).stdout.splitlines()]
    assert [line for line in told if line[0] in ("branch", "commit", "parent")] == [
        ["branch", "-"],
        ["commit", "-"],
        ["parent", "-"],
    ]


def test_what_cannot_be_promoted_or_read_is_answered_with_a_command_that_works(bare: Path, young: str) -> None:
    refused = autolab("promote", "0", str(bare))
    assert refused.returncode == 1 and "Master holds it already" in refused.stderr
    nobody = autolab("pause", "nobody", str(bare))
    assert nobody.returncode == 1 and "There is no agent 'nobody'. `autolab start " in nobody.stderr
    for verb in ("patch", "diff"):
        told = autolab(verb, "0", str(bare))
        assert (
            told.returncode == 1 and told.stdout == "" and "Experiment 0 has no patch. `autolab show 0 " in told.stderr
        )
    assert not list(bare.parent.glob("*.patch"))
    for words in ("0", "2104.09864", "nothing"):
        told = autolab("paper", words, str(bare))
        assert told.returncode == 1 and f"`autolab papers {shlex.quote(str(bare))}` lists" in told.stderr, told.stderr
    unread = autolab("log", "0", young)
    assert unread.returncode == 1 and f"`autolab show 0 {young}`" in unread.stderr


def test_a_log_that_is_missing_or_empty_is_told_of(won: str) -> None:
    missing = autolab("log", "1", won)
    assert missing.returncode == 1 and missing.stdout == ""
    assert "There is no log of run " in missing.stderr and f"`autolab show 1 {won}`" in missing.stderr
    run = json.loads(autolab("log", "1", won, "--json").stdout)["run"]
    path = Lab(Path(won)).run_directory(run) / "log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    empty = autolab("log", "1", won)
    assert empty.returncode == 0 and empty.stdout == "" and "has printed nothing." in empty.stderr
    path.write_text("step 1\n")
    assert autolab("log", "1", won).stdout == "step 1\n"


def test_a_morning_tells_what_went_on_once(young: str) -> None:
    async def happen() -> None:
        async with Writer(Lab(Path(young)).database) as store:
            for outcomes in (20, 40, 60):
                await store.tell_anomaly("plateau", f"no win in the last {outcomes} outcomes")

    asyncio.run(happen())
    told = autolab("morning", young).stdout
    assert "last 60 outcomes" in told and "last 40" not in told and "last 20" not in told
