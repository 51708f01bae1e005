"""`space` marks rows, orders go to all of them: asked first, refused with the reason, kept while the daemon is down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.actions import BY_NAME, BY_VERB
from orchestrator.store.states import State
from tests.tui.answering import answered
from tests.tui.driving import notices, on, posted, room, screen_text, until, watching
from tests.tui.room_lab import make_room_lab
from tui.commands import NotUnderstood, understand
from tui.panes.rows import Rows
from tui.screens.dashboard import Dashboard
from tui.screens.dialogs import Confirm
from tui.several import named


def test_a_command_without_an_id_means_the_marked_ones_and_with_one_that_one() -> None:
    assert understand("drop", 1, (4, 5)).arguments == {"ids": [4, 5]}
    assert understand("drop 3", 1, (4, 5)).arguments == {"id": 3}
    assert understand("drop", 1, (4,)).arguments == {"id": 4}
    assert understand("drop", 1).arguments == {"id": 1}
    assert understand("priority 50", 1, (4, 5)).arguments == {"ids": [4, 5], "value": 50}
    assert understand("log", 1, (4, 5)).arguments == {"id": 1}
    with pytest.raises(NotUnderstood, match="takes one experiment and 2 are marked: esc clears them"):
        understand("promote", 1, (4, 5))


def test_what_can_be_done_to_several_takes_an_experiment() -> None:
    several = {action.name for action in BY_NAME.values() if action.several is not None}
    assert several == {"stop_run", "kill", "requeue", "raise", "lower", "priority", "drop"}
    assert all(BY_NAME[name].takes in ("id", "id value") for name in several)
    assert BY_VERB["drop"].several is not None and "{}" in BY_VERB["drop"].several
    assert named([4]) == "experiment 4" and named(range(1, 15)).endswith("12 and 2 more)")


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 50)])
async def test_marks_are_signs_in_the_rows_and_a_count_in_the_title(tmp_path: Path, size: tuple[int, int]) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, size) as pilot:
        await pilot.press("4", "space", "space")
        await until(pilot, lambda: "2 marked *" in screen_text(pilot))
        assert len(re.findall(r"[ ▌]\*\s+1[34]  · proposed", screen_text(pilot))) == 2
        await pilot.press("g", "space")
        await until(pilot, lambda: "1 marked *" in screen_text(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "marked *" not in screen_text(pilot))


async def test_marked_experiments_are_dropped_together_after_one_question(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot, answered(lab) as store:
        await pilot.press("4", "space", "space", "colon", *"drop", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "Drop 2 experiments (13, 14)?" in screen_text(pilot)
        assert "13  An idea that waits" in screen_text(pilot)
        await pilot.press("enter")  # the focus is on Cancel
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
        assert (await store.counts())[State.DROPPED] == 0
        await pilot.press("colon", *"drop", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: "done for 2 experiments (13, 14)" in notices(pilot))
        assert (await store.counts())[State.DROPPED] == 2
        table = pilot.app.screen.query_one("#queue", Rows)
        await until(pilot, lambda: table.row_count == 0 and not table.marked)
        await pilot.press("z")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "Given at once with it" in screen_text(pilot) and "the drop of experiment 13" in screen_text(pilot)
        await pilot.press("y")
        await until(pilot, lambda: table.row_count == 2)
        assert (await store.counts())[State.DROPPED] == 0


async def test_priorities_that_were_raised_together_are_taken_back_together(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot, answered(lab) as store:

        async def priorities() -> list[int]:
            return sorted(one.priority for one in await store.in_states([State.PROPOSED]))

        before = await priorities()
        await pilot.press("4", "space", "space", "plus")
        await until(pilot, lambda: "done for 2 experiments (13, 14)" in notices(pilot))
        assert await priorities() == [one + 10 for one in before]
        await pilot.press("z")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "Given at once with it" in screen_text(pilot)
        await pilot.press("y")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
        for _ in range(100):
            if await priorities() == before:
                break
            await pilot.pause(0.1)
        assert await priorities() == before


async def test_what_is_refused_for_some_of_the_marked_is_told_with_the_reason(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot, answered(lab) as store:
        await pilot.press("3", "g", "space", "space", "plus")  # the one that runs, and one with an outcome
        await until(pilot, lambda: "done for experiment 15; refused for 1: Experiment 12 is disc" in notices(pilot))
        assert "it waits for nothing. `:requeue 12` puts it into the queue again." in notices(pilot)
        running = await store.experiment(15)
        assert running is not None and running.priority == 10


async def test_who_is_asked_about_several_hears_which_are_left_out_and_why(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("3", "g", "space", "space", "D")  # one runs, one has ended
        await until(
            pilot,
            lambda: "Experiment 15 is running: only what waits is dropped; `:kill 15` ends its run." in notices(pilot),
        )
        await pilot.press("space", "r")
        await on(pilot, Confirm)
        said = screen_text(pilot)
        assert "left out: Experiment 15 is running: only what has ended" in said
        assert "(12, 11)?" in said
    assert await posted(lab) == []


async def test_several_new_attempts_are_asked_for_first(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("3", "g", "j", "space", "space", "r")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "Queue a new attempt of 2 experiments (12, 11)?" in screen_text(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
    assert await posted(lab) == []


async def test_the_priority_of_all_marked_is_raised_at_once(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot, answered(lab) as store:
        await pilot.press("4", "space", "space", "plus")
        await until(pilot, lambda: "done for 2 experiments (13, 14)" in notices(pilot))
        assert [e.priority for e in await store.queue()] == [10, 10]


async def test_orders_for_the_marked_wait_for_a_daemon_that_is_down(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        lab.identity_file.unlink()
        await pilot.press("4", "space", "space", "minus")
        await until(pilot, lambda: "S starts it" in notices(pilot))
    assert [(c.verb, c.arguments["id"], c.arguments["value"]) for c in await posted(lab)] == [
        ("priority", 13, -10),
        ("priority", 14, -10),
    ]


async def test_one_at_a_time_and_only_in_tables(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("3", "space", "space", "colon", *"promote", "enter")
        await until(pilot, lambda: "takes one experiment and 2 are marked" in screen_text(pilot))
        await pilot.press("escape", "1", "space")
        await until(pilot, lambda: "rows of the queue and the results" in notices(pilot))
    assert await posted(lab) == []


async def test_a_new_filter_takes_the_marks_off_what_may_be_hidden(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        table = pilot.app.screen.query_one("#results", Rows)
        await pilot.press("3", "space", "space")
        assert len(table.marked) == 2
        await pilot.press("slash", *"crashed", "enter")
        await until(pilot, lambda: not table.marked)


async def test_a_room_that_only_watches_marks_and_orders_nothing(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with watching(lab) as pilot:
        await pilot.press("4", "space", "space", "plus")
        await until(pilot, lambda: "This room only watches: raise" in notices(pilot))
        assert len(pilot.app.screen.query_one("#queue", Rows).marked) == 2
    assert await posted(lab) == []
