"""The screens behind the dashboard on a real store: transcript, papers, settings, the experiment's pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.lab import Lab
from orchestrator.settings import read_settings
from orchestrator.store.agents import StoredCall
from orchestrator.store.calls import find_turn, turns_of
from orchestrator.store.reader import Reader
from orchestrator.store.writer import Writer
from tests.tui.answering import answered
from tests.tui.driving import notices, on, posted, room, screen_text, until, watching
from tests.tui.lab_maker import MODEL, talk
from tests.tui.room_lab import make_room_lab
from tui.panes.reading import Reading
from tui.panes.rows import Rows
from tui.screens.dialogs import Ask
from tui.screens.experiment import ExperimentScreen
from tui.screens.papers import PaperScreen, PapersScreen
from tui.screens.settings import SettingsScreen
from tui.screens.transcript import TranscriptScreen


async def talking_lab(root: Path, turns: int = 60) -> Lab:
    lab = await make_room_lab(root)
    async with Writer(lab.database) as store:
        await talk(store, turns)
    return lab


async def test_a_transcript_shows_the_turns_unfolds_calls_filters_and_finds(tmp_path: Path) -> None:
    lab = await talking_lab(tmp_path / "lab")
    lab.agent_log("researcher").write_text("23:59:59 thinking aloud\n")
    async with room(lab, (120, 40)) as pilot:
        await pilot.press("2", "g", "enter")
        await on(pilot, TranscriptScreen)
        await until(pilot, lambda: "10 turns" in screen_text(pilot) and "thinking aloud" in screen_text(pilot))
        with lab.agent_log("researcher").open("a") as log:
            log.write("23:59:59 and louder\n")
        await until(pilot, lambda: "and louder" in screen_text(pilot))
        await pilot.press("j")
        await until(pilot, lambda: "▸ propose" in screen_text(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "source: arXiv:2405.18392" in screen_text(pilot))
        await pilot.press("F", "F")
        await until(pilot, lambda: "only " in screen_text(pilot))
        await pilot.press("escape")
        await pilot.press("slash", *"Depth", "enter")
        await until(pilot, lambda: "Depth 4 instead of 2 is cited" in pilot.app.screen.query_one("#turn", Reading).text)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, TranscriptScreen))


async def test_thousands_of_turns_are_a_window_and_a_search_reaches_all_of_them(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with Writer(lab.database) as store:
        for number in range(1500):
            call = StoredCall(
                *("researcher", "researcher", f"job {number}", None, MODEL, "", f"word{number}", "[]", 1, 1, 0, 0.0),
                *(1.0, None, "stop", "went on", "[]"),
            )
            await store.add_call(call)
    async with Reader(lab.database) as reader:
        assert [turn.job for turn in await turns_of(reader, "researcher", limit=2, offset=1000)] == [
            "job 499",
            "job 498",
        ]
        newest = (await turns_of(reader, "researcher", limit=1))[0].id
        assert await find_turn(reader, "researcher", "word3", beside=newest, older=True) == (400, 1100)
    async with room(lab, (120, 40)) as pilot:
        await pilot.press("2", "g", "enter")
        await on(pilot, TranscriptScreen)
        turns = pilot.app.screen.query_one("#turns", Rows)
        await until(pilot, lambda: turns.row_count == 1501)
        await pilot.press("slash", *"word7", "enter")
        await until(pilot, lambda: "word799" in pilot.app.screen.query_one("#turn", Reading).text)
        await pilot.press("n")
        await until(pilot, lambda: "word798" in pilot.app.screen.query_one("#turn", Reading).text)
        await pilot.press("G")
        await until(pilot, lambda: "word0" in pilot.app.screen.query_one("#turn", Reading).text)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_an_experiment_has_its_paper_the_agents_words_and_a_log_to_search(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    lab = await talking_lab(tmp_path / "lab")
    async with room(lab, size) as pilot:
        await pilot.press("colon", *"show 3", "enter")
        await on(pilot, ExperimentScreen)
        await until(pilot, lambda: "https://arxiv.org/abs/2104.09864" in screen_text(pilot))
        assert "i paper" in screen_text(pilot)
        await pilot.press("3")
        await until(pilot, lambda: "hands the patch in" in screen_text(pilot) or "worker-1" in screen_text(pilot))
        await pilot.press("2", "slash", *"learning", "enter")
        await until(pilot, lambda: pilot.app.screen.query_one("#patch", Reading)._found is not None)
        await pilot.press("slash", *"nothing like it", "enter")
        await until(pilot, lambda: "`nothing like it` is nowhere in it." in notices(pilot))
        patch = pilot.app.screen.query_one("#patch", Reading)
        unified = patch.text
        assert "@@" in unified and " │ " not in unified
        await pilot.press("v")
        await until(pilot, lambda: " │ " in patch.text)
        assert max(map(len, patch.text.splitlines())) <= patch.size.width
        await pilot.press("v")
        await until(pilot, lambda: patch.text == unified)
        await pilot.press("i")
        await on(pilot, PaperScreen)
        await until(pilot, lambda: "RoFormer: Enhanced Transformer" in screen_text(pilot))
        await until(pilot, lambda: pilot.app.screen.query_one("#citing", Rows).row_count == 13)
        await pilot.press("escape", "escape")
    async with room(lab, size) as pilot:
        await pilot.press("1", "enter")
        await on(pilot, ExperimentScreen)
        await pilot.press("4")
        await until(pilot, lambda: "hello from the run" in screen_text(pilot) or "line" in screen_text(pilot))


async def test_papers_are_listed_filtered_and_opened_and_an_unknown_one_is_refused(tmp_path: Path) -> None:
    lab = await talking_lab(tmp_path / "lab")
    async with room(lab, (120, 40)) as pilot:
        await pilot.press("colon", *"papers", "enter")
        await on(pilot, PapersScreen)
        await until(pilot, lambda: "RoFormer" in screen_text(pilot) and "not tried" in screen_text(pilot))
        await pilot.press("slash", *"primer", "enter")
        await until(pilot, lambda: "RoFormer" not in screen_text(pilot))
        await pilot.press("enter")
        await on(pilot, PaperScreen)
        await until(pilot, lambda: "published 2021-09-17" in screen_text(pilot))
        await pilot.press("escape", "escape", "escape")
        await pilot.press("colon", *"paper 9912.00001", "enter")
        await until(pilot, lambda: "knows no paper arXiv:9912.00001" in notices(pilot))
        await pilot.press("4", "i")
        await until(pilot, lambda: "names no paper; its source is own" in notices(pilot))


async def test_a_setting_is_changed_in_place_and_others_say_where(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (120, 40)) as pilot, answered(lab):
        await pilot.press("comma")
        await on(pilot, SettingsScreen)
        await pilot.press("slash", *"wave", "enter")
        await until(pilot, lambda: "Experiments in a wave" in screen_text(pilot))
        await pilot.press("enter")
        await on(pilot, Ask)
        await pilot.press("backspace", "8", "enter")
        await until(pilot, lambda: "team.wave is 8, was 5" in notices(pilot))
        assert read_settings(lab.settings_file).team.wave == 8
        await pilot.press("enter")
        await on(pilot, Ask)
        await pilot.press("backspace", "minus", "3", "enter")
        await until(pilot, lambda: "set: refused" in notices(pilot))
        await pilot.press("escape", "slash", *"profile", "enter", "enter")
        await until(pilot, lambda: "change it in autolab.toml" in notices(pilot))
        await pilot.press("escape", "escape", "colon", *"set team.wave 6", "enter")
        await until(pilot, lambda: "team.wave is 6, was 8" in notices(pilot))
        await pilot.press("colon", *"set team.wave", "enter")
        await until(pilot, lambda: "takes a setting and its value" in screen_text(pilot))


async def test_settings_that_cannot_be_read_are_told_to_the_end_of_the_sentence(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    whole = lab.settings_file.read_text()
    async with room(lab, (80, 30)) as pilot:
        await pilot.press("comma")
        await on(pilot, SettingsScreen)
        lab.settings_file.write_text(f"{whole}\noops [\n")
        line = whole.count("\n") + 2
        await until(pilot, lambda: f"(at line {line}," in " ".join(screen_text(pilot).split()))
        assert "Correct that line" in " ".join(screen_text(pilot).split())
        lab.settings_file.write_text(whole)
        await until(pilot, lambda: "at line" not in screen_text(pilot) and "team.wave" in screen_text(pilot))


async def test_a_change_that_nobody_has_answered_yet_is_shown_as_that(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (120, 40)) as pilot:
        await pilot.press("colon", *"set team.wave 6", "enter")
        await pilot.pause(0.3)
        await pilot.press("comma")
        await until(pilot, lambda: "5 → 6, not answered yet" in screen_text(pilot))
        assert [command.verb for command in await posted(lab)] == ["set"]


async def test_a_room_that_only_watches_shows_all_of_it_and_changes_nothing(tmp_path: Path) -> None:
    lab = await talking_lab(tmp_path / "lab")
    async with watching(lab) as pilot:
        for key in ("a", "R", "z"):
            await pilot.press(key)
        for word in ("add", "edit", "undo"):
            await until(pilot, lambda word=word: f"only watches: {word} would" in notices(pilot))
        await pilot.press("comma")
        await on(pilot, SettingsScreen)
        await until(pilot, lambda: "not here: read-only" in screen_text(pilot))
        assert "here: enter" not in screen_text(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "only watches: set would" in notices(pilot))
        await pilot.press("escape", "2", "enter")
        await on(pilot, TranscriptScreen)
    assert await posted(lab) == []
