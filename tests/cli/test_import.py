"""`autolab import`: earlier results become history that agents and the duplicate check see, and nothing else does."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.team import briefs
from orchestrator.team.toolbox import Toolbox
from roles.errors import ToolRefusal
from roles.playing import Playing
from roles.tools import Tool
from tests.command_line import autolab
from tests.conftest import CLI

SAMPLE = Path(__file__).parents[1] / "targets" / "results.tsv"


def call(tools: Sequence[Tool], name: str) -> Any:
    return next(tool.handler for tool in tools if tool.spec.name == name)


def test_import_adds_a_file_once_and_says_so_the_second_time(lab: Path) -> None:
    assert autolab("earlier", str(lab)).stdout.startswith("Nothing was imported yet")
    first = autolab("import", str(lab), str(SAMPLE))
    assert (first.returncode, first.stdout) == (0, "5 results of results.tsv imported as history.\n"), first.stderr
    again = autolab("import", str(SAMPLE), str(lab))  # the other order leaves no doubt either
    assert (again.returncode, again.stdout) == (0, "Nothing is new: all 5 results of results.tsv are here already.\n")
    table = autolab("earlier", str(lab)).stdout.splitlines()
    assert len(table) == 6 and table[0].split("\t")[:4] == ["commit", "score", "GB", "status"]
    rows = json.loads(autolab("earlier", "--json", str(lab)).stdout)
    assert [row["description"] for row in rows] == [line.split("\t")[4] for line in table[1:]]
    longer = lab.parent / "longer.tsv"
    longer.write_text(SAMPLE.read_text() + "4e5f607\t1.160000\t4.1\tkeep\tMuon\n")
    more = autolab("import", str(lab), str(longer))
    assert more.stdout == "1 result of longer.tsv imported as history; 5 were here already.\n"


def test_imported_rows_are_no_results_of_this_lab(lab: Path) -> None:
    before = {verb: autolab(verb, "--json", str(lab)).stdout for verb in ("results", "queue")}
    assert autolab("import", str(lab), str(SAMPLE)).returncode == 0
    assert {verb: autolab(verb, "--json", str(lab)).stdout for verb in ("results", "queue")} == before
    assert "Rotary" not in autolab("export", "--format", "tsv", str(lab)).stdout


def test_import_works_beside_a_daemon_and_from_standard_input(lab: Path) -> None:
    assert autolab("pause", str(lab)).returncode == 0
    assert autolab("start", str(lab)).returncode == 0
    with SAMPLE.open() as source:
        words = [*CLI, "import", str(lab), "-"]
        made = subprocess.run(words, stdin=source, capture_output=True, text=True, timeout=60, check=False)
    assert made.returncode == 0 and made.stdout.startswith("5 results"), made.stderr
    assert json.loads(autolab("status", "--json", str(lab)).stdout)["running"] is True


def test_what_a_lab_exports_another_can_import(lab: Path) -> None:
    table = lab.parent / "exported.tsv"
    table.write_text(autolab("export", "--format", "tsv", str(lab)).stdout)
    assert autolab("import", str(lab), str(table)).stdout == "Exported.tsv holds no results.\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"commit\tval_bpb\tmemory_gb\tstatus\tdescription\nabc\t1.0\t2\tkeep\n", "line 2 has 4 of 5 columns"),
        (b"a,b\n", "line 1 is not the header"),
        (b"\xff\xfe\x00", "no UTF-8 text"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence_and_adds_nothing(
    lab: Path, content: bytes | None, words: str
) -> None:
    path = lab.parent / "bad.tsv"
    if content is not None:
        path.write_bytes(content)
    told = autolab("import", str(lab), str(path))
    assert told.returncode == 1 and words in told.stderr and len(told.stderr.splitlines()) == 1, told.stderr
    with sqlite3.connect(lab / "runs.db") as plain:
        assert plain.execute("SELECT (SELECT count(*) FROM history) + (SELECT count(*) FROM commands)").fetchone() == (
            0,
        )


def test_wrong_words_are_exit_2(lab: Path) -> None:
    assert autolab("import").returncode == 2
    assert autolab("import", str(lab), str(SAMPLE), "more").returncode == 2


async def test_agents_see_what_was_imported_marked_as_measured_elsewhere(lab: Path) -> None:
    autolab("import", str(lab), str(SAMPLE))
    async with opened(Lab(lab)) as context:
        tools = Toolbox(context, "researcher", Playing("offline")).researching()
        listed = json.loads((await call(tools, "list_experiments")({"limit": 3})).text)
        assert listed["experiments"] == []
        assert "imported, not measured here" in listed["imported"]["note"]
        assert [one["description"] for one in listed["imported"]["results"]] == [
            "Rotary positions",
            "batch 7 (does not divide)",
            "warmup 5% (hurts)",
        ]
        assert listed["imported"]["results"][1]["val_bpb"] is None
        brief = await briefs.research_brief(context, "researcher", 3)
        assert "imported, not measured here (1 crash, 1 discard, 3 keep)" in brief
        assert "'wider MLP 4x to 6x': val_bpb 1.18 there" in brief


async def test_without_an_import_the_listing_and_the_brief_are_as_they_were(lab: Path) -> None:
    async with opened(Lab(lab)) as context:
        tools = Toolbox(context, "researcher", Playing("offline")).researching()
        assert set(json.loads((await call(tools, "list_experiments")({})).text)) == {"baseline", "experiments"}
        assert "imported" not in await briefs.research_brief(context, "researcher", 3)


async def test_a_proposal_that_repeats_an_imported_result_is_refused(lab: Path) -> None:
    autolab("import", str(lab), str(SAMPLE))
    async with opened(Lab(lab)) as context:
        propose = call(Toolbox(context, "researcher", Playing("offline")).researching(), "propose")
        words = {"hypothesis": "h", "source": "s", "variable": "v", "edit": "e"}
        with pytest.raises(ToolRefusal, match=r"'warmup 5% \(hurts\)', discard, val_bpb 1.19"):
            await propose({"title": "Warmup: 5%", **words})
        assert "is proposed" in (await propose({"title": "Warmup: 5% with the longer warmdown", **words})).text
