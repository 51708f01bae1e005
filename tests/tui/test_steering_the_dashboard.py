"""The dashboard by keys: filters, orders, one agent paused, what changed, series of the plot, what is remembered."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest
from textual.events import AppBlur

from orchestrator.store.writer import Writer
from tests.tui.answering import answered
from tests.tui.driving import notices, orders, room, screen_text, until, watching
from tests.tui.room_lab import make_room_lab
from tui.panes.rows import Rows
from tui.screens.changes import ChangesScreen
from tui.screens.dashboard import Dashboard
from tui.screens.dialogs import Told
from tui.screens.experiment import ExperimentScreen


@pytest.mark.parametrize("size", [(90, 40), (200, 24), (240, 60)])
async def test_in_between_sizes_show_every_pane_or_name_it(tmp_path: Path, size: tuple[int, int]) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, size) as pilot:
        await until(pilot, lambda: "5 best score" in screen_text(pilot) or "5 best" in screen_text(pilot))
        for words in ("1 slots", "2 agents", "3 results", "4 queue", "5 best"):
            assert words in screen_text(pilot), screen_text(pilot)
        for key in "21453":
            await pilot.press(key)
            await pilot.pause()
            current = pilot.app.screen.query(".current").first()
            assert current.display and current.region.right <= size[0]


async def test_results_are_filtered_by_column_and_the_queue_keeps_its_own(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        results, queue = (pilot.app.screen.query_one(name, Rows) for name in ("#results", "#queue"))
        everything = results.row_count
        await pilot.press("colon", *"results state=discarded val_bpb", "less_than_sign", *"3.4 sort=-delta", "enter")
        await until(pilot, lambda: 0 < results.row_count < everything)
        title = "3 results /state=discarded val_bpb<3.4 3 of 14  by delta ↓"
        await until(pilot, lambda: title in screen_text(pilot) and "delta↓" in screen_text(pilot))
        assert queue.row_count == 2
        await pilot.press("slash", *" colour=red", "enter")
        await until(pilot, lambda: "There is no column `colour`" in screen_text(pilot))
        assert "val_bpb<3.4 3 of" in screen_text(pilot), "what is not understood changes nothing"
        assert "val_bpb<3.4 colour=red" in screen_text(pilot), "and stays, to be mended"
        await pilot.press("backspace")
        await until(pilot, lambda: "There is no column" not in screen_text(pilot))
        await pilot.press("escape", "escape", "O")
        await until(pilot, lambda: f"3 results {everything}  by delta ↑" in screen_text(pilot))
        assert "delta↑" in screen_text(pilot)
        await pilot.press("o")
        await until(pilot, lambda: "by believed ↑" in screen_text(pilot))
        await pilot.press("o")
        await until(pilot, lambda: "by error ↑" in screen_text(pilot))
        await pilot.press("4", "slash", *"id=13", "enter")
        await until(pilot, lambda: "4 queue /id=13 1 of 2" in screen_text(pilot))


async def test_a_filter_is_seen_while_it_is_typed_and_esc_leaves_everything_as_it_was(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await until(pilot, lambda: "3 results 14" in screen_text(pilot))
        await pilot.press("slash", *"state=disc")
        await pilot.pause(1.0)
        assert "3 results 14" in screen_text(pilot), "what is not understood yet changes nothing"
        await pilot.press(*"arded sort=delta")
        await until(pilot, lambda: "3 results /state=discarded 3 of 14  by delta" in screen_text(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "3 results 14 ─" in screen_text(pilot))


async def test_p_on_an_agent_pauses_that_one_and_again_resumes_it(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot, answered(lab) as store:
        await pilot.press("2", "g", "p")
        await until(pilot, lambda: "researcher is paused after the reply at hand" in notices(pilot))
        assert "@" in await store.paused_by("researcher") and not await store.paused_by("planner")
        await until(pilot, lambda: "2 agents 2  1 paused" in screen_text(pilot))
        await until(pilot, lambda: "p resume" in screen_text(pilot))
        await pilot.press("p")
        await until(pilot, lambda: "researcher goes on" in notices(pilot))
        assert not await store.paused_by("researcher")
        await pilot.press("colon", *"pause nobody", "enter")
        await until(
            pilot, lambda: "There is no agent 'nobody'. There are: offline, planner, researcher." in notices(pilot)
        )
        await pilot.press("2")
        await until(pilot, lambda: "planner: offline" in screen_text(pilot))


async def test_the_agent_that_a_person_has_before_them_stays_also_while_the_terminal_is_not_looked_at(
    tmp_path: Path,
) -> None:
    lab = await make_room_lab(tmp_path / "lab")

    def busy(name: str, at: str) -> None:
        with contextlib.closing(sqlite3.connect(lab.database)) as store, store:
            store.execute("UPDATE agents SET updated_at = ? WHERE name = ?", (at, name))

    async with room(lab) as pilot:
        busy("planner", "2100-01-01T00:00:00.000Z")
        await until(pilot, lambda: "planner: offline" in screen_text(pilot))  # nobody is in the pane: the busiest
        await pilot.press("2")
        pilot.app.post_message(AppBlur())
        busy("researcher", "2100-01-01T01:00:00.000Z")
        await until(pilot, lambda: pilot.app.screen.focused is None)
        await pilot.pause(1.5)
        assert "planner: offline" in screen_text(pilot)
        await pilot.press("3")
        busy("researcher", "2100-01-01T02:00:00.000Z")
        await until(pilot, lambda: "researcher: offline" in screen_text(pilot))


async def test_a_waiting_experiment_is_dropped_by_a_key_after_a_question(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("4", "D")
        await until(pilot, lambda: "Drop experiment 13?" in screen_text(pilot))
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
        [command] = await orders(pilot, lab)
    assert (command.verb, command.arguments) == ("drop", {"id": 13})


async def test_what_changed_is_a_line_that_enter_expands_with_who_asked(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    visits = lab.hidden / "visits"
    async with room(lab) as pilot:
        await pilot.press("q")
    [visit] = visits.iterdir()
    async with Writer(lab.database) as store:
        await store.event("anomaly", "autolab", "no free space")
        await store.event("lab", "ada@box", "the queue is paused")
    async with room(lab) as pilot:
        await until(pilot, lambda: "1 to look at" in screen_text(pilot))
        await pilot.press("0")
        await until(pilot, lambda: "enter shows all of it" in screen_text(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChangesScreen))
        await until(pilot, lambda: "no free space" in screen_text(pilot) and "ada@box" in screen_text(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Told))
        await until(pilot, lambda: "UTC, ada@box" in screen_text(pilot))
        await pilot.press("escape", "escape")
        await until(pilot, lambda: "nothing of note since" in screen_text(pilot))
        await pilot.press("colon", *"events", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChangesScreen))
        await until(pilot, lambda: "0 since you looked" in screen_text(pilot))
        text = screen_text(pilot)
        assert text.index("before that") < text.index("no free space"), "what was looked at is there still"
        await pilot.press("g", "enter")
        assert isinstance(pilot.app.screen, ChangesScreen), "there is nothing behind the rule"
        await pilot.press("escape")
        visit.unlink()


async def test_u_plots_the_lines_of_the_selected_run_one_after_the_other(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await until(pilot, lambda: "5 best score" in screen_text(pilot))
        for words in (
            "5 loss experiment 15, run 28: The one that runs, seed 1",
            "5 learning rate experiment 15, run 28",
            "5 tokens a second experiment 15, run 28",
        ):
            await pilot.press("u")
            await until(pilot, lambda words=words: words in screen_text(pilot))
        await pilot.press("u")
        await until(pilot, lambda: "5 best score" in screen_text(pilot))


async def test_the_room_is_as_it_was_left_and_a_watcher_changes_nothing_of_it(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("slash", *"number", "enter", "o", "4", "f")
        await until(pilot, lambda: "3 results" not in screen_text(pilot))
        await pilot.press("q")
    [kept] = (lab.hidden / "rooms").iterdir()
    before = kept.read_bytes()
    async with watching(lab) as pilot:
        await until(pilot, lambda: "4 queue" in screen_text(pilot))
        assert "3 results" not in screen_text(pilot)
        await pilot.press("f")
        await until(pilot, lambda: "3 results /number 12 of 14  by val_bpb ↑" in screen_text(pilot))
        await pilot.press("3", "escape")
        await until(pilot, lambda: "3 results 14" in screen_text(pilot))
    assert kept.read_bytes() == before
    async with room(lab) as pilot:
        await until(pilot, lambda: "4 queue" in screen_text(pilot))
        assert "3 results" not in screen_text(pilot)


async def test_a_remembered_filter_that_leaves_nothing_says_how_to_drop_it(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("4", "slash", *"zzz", "enter")
        await until(pilot, lambda: "4 queue /zzz 0 of 2" in screen_text(pilot))
        await until(pilot, lambda: "matches the filter: 4, then esc, clears it" in screen_text(pilot))
        assert not notices(pilot)
        await pilot.press("q")
    async with room(lab) as pilot:
        await until(pilot, lambda: "nothing of 2 that wait matches `zzz`: 4, then esc, shows all" in notices(pilot))
        await pilot.press("4", "escape")
        await until(pilot, lambda: "4 queue 2" in screen_text(pilot))


async def test_an_experiment_is_opened_from_what_changed(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("0", "enter")
        await until(pilot, lambda: "◆ promoted" in screen_text(pilot))
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ExperimentScreen))
