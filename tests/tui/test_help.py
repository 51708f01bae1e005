"""Help: every key, and first those of the page that it was asked on; a key that means nothing there says so."""

from __future__ import annotations

from pathlib import Path

from orchestrator.actions import ACTIONS
from tests.tui.driving import notices, on, room, screen_text, until
from tests.tui.room_lab import make_room_lab
from tui.screens.help import Help, help_rows
from tui.screens.review import ReviewScreen
from tui.screens.text import LogScreen


def test_a_page_has_its_own_keys_before_all_of_them() -> None:
    rows = help_rows(("accept", "revert"))
    assert [what for _, _, what in rows[:4]] == ["on this page", *(row[2] for row in rows[1:3]), "\neverywhere"]
    assert rows[1][:2] == ("A", ":accept ID") and rows[2][:2] == ("X", ":revert ID")
    assert rows[4:] == help_rows() and len(help_rows()) == len(ACTIONS)


async def test_help_on_a_page_begins_with_its_keys_and_on_the_dashboard_with_all(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (120, 40)) as pilot:
        await pilot.press("question_mark")
        await on(pilot, Help)
        await until(pilot, lambda: "show every key and command" in screen_text(pilot))
        assert "on this page" not in screen_text(pilot)
        await pilot.press("escape", "b")
        await on(pilot, ReviewScreen)
        await pilot.press("question_mark")
        await on(pilot, Help)
        await until(pilot, lambda: "mark a win as reviewed" in screen_text(pilot))
        text = screen_text(pilot)
        assert text.index("on this page") < text.index(":accept ID") < text.index("everywhere")


async def test_a_word_finds_what_help_says_of_it_and_esc_shows_all_again(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (120, 40)) as pilot:
        await pilot.press("question_mark")
        await on(pilot, Help)
        await pilot.press("slash", *"Queue drop")
        await until(pilot, lambda: ":drop" in screen_text(pilot) and ":accept" not in screen_text(pilot))
        await pilot.press("enter", "slash", *(["backspace"] * 10), *"noise", "enter")
        await until(pilot, lambda: "is the error of a mean" in screen_text(pilot) and ":drop" not in screen_text(pilot))
        await pilot.press("slash", *"zzz", "enter")
        await until(pilot, lambda: "No key, command or word has that." in screen_text(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "show every key and command" in screen_text(pilot))
        assert isinstance(pilot.app.screen, Help), "from what was found, esc goes to all of it"
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, Help))


async def test_a_key_that_means_nothing_on_a_page_says_so(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("1", "l")
        await on(pilot, LogScreen)
        await pilot.press("u")
        await until(pilot, lambda: "Plot means nothing here" in notices(pilot))
