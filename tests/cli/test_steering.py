"""`add` without a patch, `set`, `settings`, `undo`, `papers` on the command line, with no daemon alive."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
from pathlib import Path

from orchestrator.actor import who
from orchestrator.lab import Lab
from orchestrator.store.reader import Reader
from orchestrator.store.records import TOGETHER
from tests.command_line import autolab
from tests.conftest import CLI


def test_a_person_steers_without_a_daemon_and_takes_it_back(lab: Path) -> None:
    root = str(lab)
    told = autolab("set", "team.wave", "9", root)
    assert told.stdout == "The setting team.wave is 9, was 5.\n", told.stderr
    known = {one["key"]: one for one in json.loads(autolab("settings", root, "--json").stdout)}
    assert known["team.wave"] == {"key": "team.wave", "value": 9, "live": True}
    assert known["run.budget_seconds"]["live"] is False
    made = autolab("add", root, "--title", "T", "--hypothesis", "h", "--source", "Su 2021, arXiv:2104.09864")
    assert made.stdout == "1\n", made.stderr
    assert "2104.09864\t1\tSu 2021\t1 not tried" in autolab("papers", root).stdout
    assert autolab("undo", root).stdout == "Experiment 1, T is undone: it is dropped.\n"
    assert autolab("undo", root).stdout == "The change of team.wave to 9 is undone: it is 5 again.\n"
    many = autolab("set", "team.workers", "99", root).stdout
    assert "team.workers is 99" in many and "of them work, for there are no more patches to make at once" in many
    assert autolab("undo", root).returncode == 0
    refused = autolab("undo", root)
    assert refused.returncode == 1 and "ordered nothing that could be undone" in refused.stderr


def test_what_waits_for_the_daemon_is_taken_back_before_anything_older(lab: Path) -> None:
    root = str(lab)
    assert autolab("set", "team.wave", "9", root).returncode == 0

    async def order_in_a_room() -> None:
        async with Reader(Lab(lab).database) as reader:
            for number in (1, 2):
                await reader.post_command("drop", {"id": number, TOGETHER: "both"}, who())

    asyncio.run(order_in_a_room())
    told = autolab("undo", root).stdout.splitlines()
    waited = "is taken back; it waited for the daemon, and nothing was done yet."
    assert told == [f"The drop of experiment {number} {waited}" for number in (2, 1)]
    assert autolab("undo", root).stdout == "The change of team.wave to 9 is undone: it is 5 again.\n"


def test_refusals_are_one_sentence_with_a_remedy(lab: Path) -> None:
    root = str(lab)
    for words, why in (
        (("set", "team.wave", "none", root), "`team.wave` cannot be 'none'"),
        (("set", "lab.slots", "2", root), "not changed while the lab is at work"),
        (("paper", "nothing", root), "is no arXiv id"),
        (("requeue", "0", "--hypothesis", "x", root), "part of master already"),
    ):
        told = autolab(*words)
        assert told.returncode == 1 and why in told.stderr and told.stdout == "", told


def test_a_message_is_read_from_standard_input_and_has_a_bound(bare: Path) -> None:
    words = [*CLI, "message", "all", "-", str(bare)]
    told = subprocess.run(words, input="be bold\nand careful\n", capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    with sqlite3.connect(bare / "runs.db") as plain:
        assert plain.execute("SELECT text FROM letters").fetchall() == [("be bold\nand careful",)]
    long = subprocess.run(words, input="x" * 20_001, capture_output=True, text=True, check=False)
    assert long.returncode == 1 and "has 20,001 characters, more than 20,000. Shorten it" in long.stderr, long.stderr
