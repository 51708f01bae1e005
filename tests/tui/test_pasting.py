"""What is pasted into a line to type in: every line of it counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Paste

from tests.tui.driving import on, orders, room, screen_text, until
from tests.tui.room_lab import make_room_lab
from tui.entry import Entry
from tui.screens.adding import AddForm
from tui.screens.command_line import CommandLine
from tui.typed_before import TypedBefore


async def test_every_line_of_a_paste_goes_into_the_line_that_is_typed(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("m")
        pilot.app.post_message(Paste("first para\nsecond para\r\n\n  third"))
        await pilot.press("enter")
        [message] = await orders(pilot, lab)
        assert message.arguments == {"agent": "all", "text": "first para\nsecond para\n\n  third"}
        await pilot.press("3", "slash")
        pilot.app.post_message(Paste("Idea\nnumber 7"))
        await pilot.press("enter")
        await until(pilot, lambda: "/Idea number 7 1 of" in screen_text(pilot))
        await pilot.press("colon")
        await on(pilot, CommandLine)
        pilot.app.post_message(Paste("results\nid=9\n"))
        await pilot.press("enter")
        await until(pilot, lambda: "3 results /id=9 1 of" in screen_text(pilot))
        await pilot.press("a")
        await on(pilot, AddForm)
        pilot.app.post_message(Paste("A title\nof two lines"))
        title = pilot.app.screen.query_one("#title", Entry)
        await until(pilot, lambda: title.value == "A title of two lines")


@pytest.mark.parametrize(
    ("pasted", "there"), [(" one line ", "a one line b"), ("one\ntwo\n", "aone↵twob"), ("\n", "ab")]
)
async def test_a_paste_goes_where_the_cursor_stands(tmp_path: Path, pasted: str, there: str) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("m", "a", "b", "left")
        pilot.app.post_message(Paste(pasted))
        await pilot.pause()
        await until(pilot, lambda: pilot.app.screen.query_one(Entry).value == there)


async def test_a_message_that_was_left_or_sent_comes_back_with_its_lines(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("m", *"try ")
        pilot.app.post_message(Paste("less\nof everything"))
        await pilot.press("escape", "m", "up", "enter")
        [message] = await orders(pilot, lab)
        assert message.arguments["text"] == "try less\nof everything"
        await pilot.press("m", "up", *" now", "enter")
        second = (await orders(pilot, lab, 2))[1]
        assert second.arguments["text"] == "try less\nof everything now"


async def test_the_room_stays_in_sight_and_a_dropped_line_costs_nothing_of_a_message(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("m", *"half a thought")
        await until(pilot, lambda: "half a thought" in screen_text(pilot) and "3 results" in screen_text(pilot))
        await until(pilot, lambda: TypedBefore("messages").history().step(-1, "") == "half a thought")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("m", "up")
        await until(pilot, lambda: "half a thought" in screen_text(pilot))
