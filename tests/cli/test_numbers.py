"""Numbers that nothing can hold are refused in one sentence wherever they are given, and kill nobody."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.given import experiment_number, priority
from orchestrator.lab import Lab
from orchestrator.store.reader import Reader
from orchestrator.store.records import Command
from tests.cli.test_bad_input import refused
from tests.command_line import autolab
from tui.commands import NotUnderstood, understand

HUGE = "99999999999999999999"
ONE_OF_THEM = ("show", "log", "diff", "patch", "end", "kill", "drop", "promote", "revert", "ablate", "accept")
ONE_OF_THEM += ("requeue", "pause", "resume", "paper")


@pytest.mark.parametrize("number", [HUGE, "9" * 5000, "9999999999"])
def test_a_number_that_no_experiment_has_is_refused_by_every_verb(bare: Path, number: str) -> None:
    for verb in ONE_OF_THEM if number == HUGE else ("show", "kill"):
        refused(autolab(verb, number, str(bare)), 1, number[:9])
    for words in (("pick", number, "master"), ("priority", number, "5")):
        refused(autolab(*words, str(bare)), 1, "There is no experiment 9999")
    assert asyncio.run(_posted(Lab(bare))) == []


def test_a_priority_or_a_count_beyond_its_bounds_is_wrong_use(bare: Path) -> None:
    for value in (HUGE, "1001", "high", "1.5", "²"):
        refused(autolab("priority", "0", value, str(bare)), 2, "A priority is a whole number from -1000 to 1000, not")
    words = ("--title", "T", "--hypothesis", "H")
    refused(autolab("add", str(bare), *words, "--priority", HUGE), 2, "A priority is a whole number")
    for value in (HUGE, "x", "-3", "0"):
        refused(autolab("run", str(bare), f"--experiments={value}"), 2, "must be a whole number, at least 1, not")
    assert autolab("results", "--where", f"id={HUGE} error<1e-300 priority<{HUGE}", str(bare)).returncode == 0
    assert asyncio.run(_posted(Lab(bare))) == []


async def _posted(lab: Lab) -> list[Command]:
    async with Reader(lab.database) as reader:
        return [Command.from_row(row) for row in await reader.rows("SELECT * FROM commands")]


async def test_what_another_client_leaves_is_held_to_the_same_bounds(bare: Path) -> None:
    """Rows of the table, as anybody can leave them there."""
    left: tuple[tuple[str, dict[str, object]], ...] = (
        ("kill", {"id": int(HUGE)}),
        ("priority", {"id": 0, "value": int(HUGE)}),
        ("add", {"title": "T", "hypothesis": "H", "priority": int(HUGE)}),
        ("kill", {"id": float("inf")}),
    )
    async with Reader(Lab(bare).database) as reader:
        posted = [await reader.post_command(verb, words, "somebody") for verb, words in left]
        after = await asyncio.to_thread(autolab, "pause", str(bare))
        assert after.returncode == 0, after.stderr
        answers = [await reader.command(one) for one in posted]
    assert [answer and answer.state for answer in answers] == ["refused"] * len(left)
    assert "A priority is a whole number" in str(answers[1] and answers[1].answer)


def test_the_room_holds_what_is_typed_to_the_same_bounds() -> None:
    for typed in (f"kill {HUGE}", f"show {HUGE}", f"pause {HUGE}", f"priority {HUGE} 6", f"pick {HUGE} master"):
        with pytest.raises(NotUnderstood, match="There is no experiment 9999"):
            understand(typed, None)
    for selected, marked in ((None, ()), (7, ()), (None, (7, 8))):
        with pytest.raises(NotUnderstood, match="A priority is a whole number from -1000 to 1000"):
            understand(f"priority {'' if selected or marked else '6 '}{HUGE}", selected, marked)


def test_numbers_are_read_as_people_write_them() -> None:
    assert [experiment_number(one) for one in ("13", "#13", "13.2", 13, "0013")] == [13] * 5
    assert [priority(one) for one in ("-1000", "+5", " 5 ", 1000)] == [-1000, 5, 5, 1000]
    for wrong in ("", "x", "-1", "²", None, True):
        with pytest.raises(UsageError):
            experiment_number(wrong)
