"""A score of absurd size, in a store from before such were refused, costs no reading verb more than its row."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.lab import Lab
from tests.command_line import autolab
from tests.tui.driving import room, screen_text
from tests.tui.lab_maker import make_lab

MOST = 1.7e308


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A start with a run that diverged, a win and a loss beyond measure, and master on such a win."""
    made = asyncio.run(make_lab(tmp_path_factory.mktemp("labs") / "lab"))
    with closing(sqlite3.connect(made.database)) as store, store:
        head = store.execute("SELECT experiment_id FROM masters ORDER BY seq DESC LIMIT 1").fetchone()[0]
        for experiment, score in ((3, -1e300), (5, MOST), (head, -1e300)):
            store.execute("UPDATE runs SET val_bpb = ? WHERE experiment_id = ?", (score, experiment))
            store.execute("UPDATE experiments SET val_bpb = ?, delta = ? WHERE id = ?", (score, score, experiment))
        store.execute("UPDATE runs SET val_bpb = ? WHERE experiment_id = 0 AND seed = 1", (MOST,))
        store.execute("UPDATE experiments SET val_bpb = ? WHERE id = 0", (MOST / 3,))
    return made


@pytest.mark.parametrize(
    "words",
    ["status", "results", "results --where believed>0", "report", "show 3", "export", "review", "compare", "morning"],
)
def test_no_reading_verb_dies_of_an_absurd_score(lab: Lab, words: str) -> None:
    told = autolab(*words.split(), str(lab.root))
    assert told.returncode == 0, told.stderr
    assert re.search(r"\d{41}", told.stdout) is None, "nothing but a commit has so many digits"


def test_of_an_absurd_gain_nothing_is_believed_and_the_others_are_believed_as_before(lab: Lab) -> None:
    rows = {row.split("\t")[0]: row.split("\t") for row in autolab("results", str(lab.root)).stdout.splitlines()}
    assert rows["3"][2:5] == ["-1e+300", "-1e+300", "-"]
    assert float(rows["1"][4]) == pytest.approx(-0.26, abs=0.02)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_room_shows_the_lab_all_the_same(lab: Lab, size: tuple[int, int], tmp_path: Path) -> None:
    async with room(lab, size) as pilot:
        await pilot.pause()
        assert "master -1e+300" in screen_text(pilot)
        await pilot.press("5", "b")
        await pilot.pause()
        await pilot.press("escape", "C")
        await pilot.pause()
