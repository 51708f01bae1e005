"""The control room on a lab's store, driven by keys, at the three sizes."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Button

from orchestrator.actions import ACTIONS, BY_NAME
from orchestrator.actor import who
from orchestrator.lab import LabLock
from orchestrator.review.morning import morning_of
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer
from tests.tui.answering import answered
from tests.tui.driving import notices, on, orders, posted, room, say_who, screen_text, until, watching
from tests.tui.room_lab import make_empty_lab, make_room_lab
from tui.app import ControlRoom
from tui.mornings import words
from tui.panes.rows import Rows
from tui.panes.slots import Slots
from tui.panes.tail import Tail
from tui.screens.dashboard import Dashboard
from tui.screens.dialogs import Confirm
from tui.screens.experiment import ExperimentScreen
from tui.screens.help import Help
from tui.screens.text import LogScreen

SIZES = [(80, 24), (120, 40), (200, 50)]


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_screen_shows_health_slots_and_results(tmp_path: Path, size: tuple[int, int]) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, size) as pilot:
        await pilot.pause()
        text = screen_text(pilot)
        for words in ("at work", "master 3.", "1 slots", "3 results", "cpu0", "training", "42%", "? help"):
            assert words in text, text
        if size[0] >= 110:
            for words in ("2 agents", "4 queue", "5 best score", "An idea that waits", "researcher"):
                assert words in text, text


@pytest.mark.parametrize("size", SIZES)
async def test_scores_that_a_script_reports_of_itself_are_marked(tmp_path: Path, size: tuple[int, int]) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, size) as pilot:
        await pilot.pause()
        assert "self-reported" not in screen_text(pilot)
    async with Writer(lab.database) as store:
        await store.set_meta("target", "script")
        await store.set_meta("direction", "maximise")
    async with room(lab, size) as pilot:
        await pilot.pause()
        assert "self-reported, sign changed" in screen_text(pilot)
        await pilot.press("G", "enter")
        await on(pilot, ExperimentScreen)
        await pilot.pause()
        assert "self-reported: what the program prints of itself; the sign" in " ".join(screen_text(pilot).split())


async def test_digits_and_tab_go_from_pane_to_pane(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        for key, words in (("4", "4 queue"), ("2", "2 agents"), ("5", "5 "), ("3", "3 results"), ("1", "1 slots")):
            await pilot.press(key)
            await pilot.pause()
            assert words in screen_text(pilot)
        await pilot.press("tab")
        assert pilot.app.screen.pane == "agents"  # type: ignore[attr-defined]


async def test_moving_down_and_looking_into_an_experiment_shows_its_patch_and_story(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("3", "G", "k", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ExperimentScreen))
        await until(pilot, lambda: "Idea number 1" in screen_text(pilot))
        await pilot.press("d")
        await until(pilot, lambda: "+LEARNING_RATE = 3e-3" in screen_text(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))


async def test_the_room_shows_what_the_vault_says_of_a_promotion(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    sentence = "experiment 1 improved on validation and not on the vault: +0.1000 bits per byte gained on validation"
    async with Writer(lab.database) as store:
        run = (await store.runs_of(1))[0]
        await store.end_vault(run, "scored", "run scores 3.5432 on the vault", bpb=3.5432)
        await store.decide_vault(1, "the gain is not there on the vault: +0.1", sentence)
    async with room(lab) as pilot:
        await until(pilot, lambda: "improved on validation and not on the vault" in screen_text(pilot))
        await pilot.press("3", "G", "k", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, ExperimentScreen))
        await until(pilot, lambda: "the gain is not there on the vault" in screen_text(pilot))
        await until(pilot, lambda: screen_text(pilot).count("3.5432") >= 2)


async def test_a_log_is_shown_inert(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("1", "l")
        await until(pilot, lambda: isinstance(pilot.app.screen, LogScreen))
        await pilot.press("g")
        log = pilot.app.screen.query_one("#lines", Tail)
        assert log.lines[0] == "hello from the run"
        await pilot.press("w", "s", "escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))


@pytest.mark.parametrize(("key", "verb"), [("x", "end"), ("K", "kill")])
async def test_what_ends_a_run_asks_first_with_the_focus_on_cancel(tmp_path: Path, key: str, verb: str) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("1", key)
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert pilot.app.focused is pilot.app.screen.query_one("#cancel", Button)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
        assert await posted(lab) == []
        await pilot.press(key)
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("right", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
        [command] = await orders(pilot, lab)
        assert (
            (command.verb, command.arguments["id"]) == (verb, 15) and command.arguments["run"] and "@" in command.actor
        )


async def test_orders_at_the_top_row_go_to_the_same_experiment_wherever_the_first_moves_it(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("4", "g", "minus")
        [first] = await orders(pilot, lab)
        assert (first.verb, first.arguments["id"]) == ("priority", 13)
        async with Writer(lab.database) as store:
            await store.set_priority(13, -10, "set by ada@box", actor="ada@box")
        queue = pilot.app.screen.query_one("#queue", Rows)
        await until(pilot, lambda: queue.cursor == 1)
        await pilot.press("minus")
        assert (await orders(pilot, lab, 2))[1].arguments["id"] == 13


async def test_a_kill_means_the_run_that_the_question_names_whatever_takes_its_slot_meanwhile(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("1", "K")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await until(pilot, lambda: "run 28 on cpu0, seed 1" in screen_text(pilot))
        assert "Experiment 15 ends as killed; r queues it again." in screen_text(pilot)
        async with Writer(lab.database) as store:
            await store.end_run(28, Measurement("scored", "scored", 3.0, steps=100))
            ended = await store.experiment(15)
            assert ended is not None and ended.commit_id is not None
            await store.move(13, State.QUEUED, "planned")
            await store.move(13, State.PATCHING, "patching")
            ready = await store.move(13, State.READY, "approved", parent=ended.parent, commit_id=ended.commit_id)
            place = Place("cpu0", "a core", "bubblewrap")
            after = await store.begin_run(ready, RunKind.SCREEN, 1, place, ended.commit_id)
        slots = pilot.app.screen_stack[-2].query_one(Slots)
        await until(pilot, lambda: slots.run_id == after.id)
        await pilot.press("y")
        [command] = await orders(pilot, lab)
        assert command.verb == "kill" and (command.arguments["id"], command.arguments["run"]) == (15, 28)


@pytest.mark.parametrize(
    ("keys", "verb", "arguments"),
    [
        (("1", "p"), "pause", {"id": 15, "run": 28}),
        (("P",), "pause", {}),
        (("3", "G", "k", "r"), "requeue", {"id": 1}),
        (("4", "plus"), "priority", {"id": 13, "value": 10}),
        (("4", "minus"), "priority", {"id": 13, "value": -10}),
        (("colon", *"requeue 3", "enter"), "requeue", {"id": 3}),
        (("m", *"hello", "enter"), "message", {"agent": "all", "text": "hello"}),
    ],
)
async def test_keys_and_commands_leave_the_same_orders(
    tmp_path: Path, keys: tuple[str, ...], verb: str, arguments: dict[str, object]
) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        for key in keys:
            await pilot.press("space" if key == " " else key)
        [command] = await orders(pilot, lab)
        assert (command.verb, command.arguments) == (verb, arguments)


async def test_the_filter_narrows_the_tables_and_esc_clears_it(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        table = pilot.app.screen.query_one("#results", Rows)
        everything = table.row_count
        await pilot.press("slash", *"crashed", "enter")
        await until(pilot, lambda: 0 < table.row_count < everything)
        assert "/crashed" in screen_text(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: table.row_count == everything)


async def test_help_is_there_and_goes_away(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(pilot.app.screen, Help))
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))


async def test_a_pane_can_have_the_whole_screen(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("3", "f")
        await pilot.pause()
        assert "2 agents" not in screen_text(pilot) and "3 results" in screen_text(pilot)
        await pilot.press("f")
        await pilot.pause()
        assert "2 agents" in screen_text(pilot)


async def test_a_daemon_that_goes_away_is_told_with_the_key_that_starts_it(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    lock = LabLock(lab)
    lock.acquire()
    say_who(lab)
    app = ControlRoom(lab)
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: app.dashboard.snapshot is not None)
        await until(pilot, lambda: "97%" in screen_text(pilot))
        lock.release()
        await until(pilot, lambda: "NOT RUNNING: S starts it" in screen_text(pilot))
        await until(pilot, lambda: "97%" not in screen_text(pilot))  # nobody reads the machine now
        await pilot.press("P")
        await until(pilot, lambda: "S starts it" in " ".join(note.message for note in app._notifications))
    assert [command.verb for command in await posted(lab)] == ["pause"]


async def test_a_lab_whose_directory_is_deleted_is_told_for_good(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (120, 40)) as pilot:
        lab.root.rename(tmp_path / "elsewhere")
        await until(pilot, lambda: "THE LAB'S DIRECTORY IS GONE" in screen_text(pilot))
        await pilot.press("P")
        await pilot.pause()
        assert "THE LAB'S DIRECTORY IS GONE" in screen_text(pilot) and "NOT RUNNING" not in screen_text(pilot)


async def test_a_thousand_results_stay_quick(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab", experiments=250)
    async with room(lab) as pilot:
        assert pilot.app.screen.query_one("#results", Rows).row_count == 252
        await pilot.press("3", "G", "g", "j", "j")
        assert pilot.app.screen.query_one("#results", Rows).cursor == 2


async def test_a_priority_raised_twice_in_a_row_counts_twice(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("4", "plus", "plus")
        assert [command.arguments["value"] for command in await orders(pilot, lab, 2)] == [10, 20]


async def test_a_lab_without_results_says_what_comes(tmp_path: Path) -> None:
    lab = await make_empty_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        assert "the baseline is being measured" in screen_text(pilot)
        for key, words in (("2", "the team comes"), ("4", "nothing waits"), ("5", "no score yet"), ("1", "1 slots")):
            await pilot.press(key)
            await until(pilot, lambda words=words: words in screen_text(pilot))
        await pilot.press("1", "K")
        await until(pilot, lambda: "Select an experiment" in " ".join(n.message for n in pilot.app._notifications))


async def test_commands_work_where_a_log_is_shown_and_the_palette_offers_every_action(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("1", "l")
        await until(pilot, lambda: isinstance(pilot.app.screen, LogScreen))
        await until(pilot, lambda: "following" in screen_text(pilot))
        await pilot.press("p")
        [command] = await orders(pilot, lab)
        assert (command.verb, command.arguments) == ("pause", {"id": 15, "run": 28})
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, Dashboard))
        offered = {command.help: command.title for command in pilot.app.get_system_commands(pilot.app.screen)}
        assert set(offered) == {a.help for a in ACTIONS if a.name not in ("palette", "pane")}
        assert (
            offered[BY_NAME["ablate"].help] == "measure without  (t)" and offered[BY_NAME["undo"].help] == "undo  (z)"
        )


async def test_a_message_goes_to_the_agent_under_the_cursor(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("2", "g", "m", *"be bold".replace(" ", "_"), "enter")
        [command] = await orders(pilot, lab)
        assert command.arguments == {"agent": "researcher", "text": "be_bold"}


async def test_what_comes_of_ones_own_experiment_is_told_as_it_happens(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot, Writer(lab.database) as store:
        for author in (who(), "ada@box"):
            made = await store.add_experiment(Proposal("Mine", "h", "s"), author=author, team="person")
            await store.move(made.id, State.QUEUED, "queued")
            await store.move(made.id, State.PATCHING, "a worker has it")
            await store.move(made.id, State.GIVEN_UP, "given up: no idea how")
        await until(pilot, lambda: "Your experiment 16 given up: no idea how" in notices(pilot))
        assert "experiment 17" not in notices(pilot)
        morning = await morning_of(store, "2020")
        assert [one.id for one in morning.own] == [17, 16]
        assert "what came of people's own experiments" in str(words(morning))
        await pilot.press("escape")
        await until(pilot, lambda: not notices(pilot))


async def test_leaving_never_asks_the_lab_to_stop(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        await pilot.press("q")
    assert await posted(lab) == []


async def test_two_people_watch_one_lab_and_what_one_orders_the_other_sees_with_who_asked(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (120, 40)) as working, answered(lab), watching(lab) as looking:
        assert "read-only" in screen_text(looking)
        await until(looking, lambda: "An idea that waits" in screen_text(looking))
        await working.press("P")
        await until(looking, lambda: "QUEUE PAUSED" in screen_text(looking))
        await working.press("colon", *"drop 13", "enter")
        await on(working, Confirm)
        await working.press("y")
        await looking.press("colon", *"show 13", "enter")
        await until(looking, lambda: "dropped" in screen_text(looking) and who() in screen_text(looking))
        await looking.press("R")
        await until(looking, lambda: "only watches" in notices(looking))
        await working.press("P")
        await looking.press("escape")
        await until(looking, lambda: "at work" in screen_text(looking))
