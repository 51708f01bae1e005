"""`a`, `R`, `z`, `:`: allowed, refused with the reason, with nobody there to answer; and the editor on a terminal."""

from __future__ import annotations

import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from orchestrator.actor import who
from orchestrator.store.states import State
from orchestrator.store.writer import Writer
from roles.offline import NAME
from tests.conftest import eventually
from tests.tui.answering import answered
from tests.tui.driving import notices, on, orders, posted, room, screen_text, until
from tests.tui.room_lab import a_real_master, make_room_lab
from tests.tui.seat import Seat, held_lab
from tests.tui.seat import room as room_words
from tui.kept_form import KeptForm
from tui.screens.adding import AddForm, EditForm
from tui.screens.command_line import CommandLine
from tui.screens.dashboard import Dashboard
from tui.screens.dialogs import Confirm


async def fill(pilot: Pilot[str], **fields: str) -> None:
    for name, text in fields.items():
        widget = pilot.app.screen.query_one(f"#{name}")
        if isinstance(widget, TextArea):
            widget.text = text
        elif isinstance(widget, Input):
            widget.value = text
    await pilot.pause()


async def test_an_idea_is_queued_for_a_worker_and_z_takes_it_back(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot, answered(lab) as store:
        await pilot.press("a", *"Wider", "tab", *"memory", "ctrl+s")
        await until(pilot, lambda: "experiment 16 is queued" in notices(pilot))
        made = await store.experiment(16)
        assert made is not None and (made.title, made.hypothesis, made.state) == ("Wider", "memory", State.QUEUED)
        assert (made.author, made.priority) == (who(), 100)
        await pilot.press("z")
        await on(pilot, Confirm)
        assert "Undo experiment 16, Wider?" in screen_text(pilot) and "Then it is dropped." in screen_text(pilot)
        await pilot.press("y")
        await until(pilot, lambda: "is undone: it is dropped" in notices(pilot))
        await pilot.press("z")
        await until(pilot, lambda: "ordered nothing that could be undone" in notices(pilot))


@pytest.mark.parametrize("size", [(60, 15), (60, 20), (80, 24), (200, 50)])
async def test_the_buttons_of_a_form_are_in_sight_and_a_worker_that_only_knows_a_catalogue_is_told_of(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with Writer(lab.database) as store:
        await store.set_agents([("worker-1", "worker", "offline", NAME)])
    async with room(lab, size) as pilot:
        await pilot.press("a")
        await on(pilot, AddForm)
        await until(pilot, lambda: "only knows its catalogue" in " ".join(screen_text(pilot).replace("│", "").split()))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "has no title" in screen_text(pilot) and "Queue it ^s" in screen_text(pilot))


async def test_what_is_typed_outlives_the_room_until_it_is_handed_in(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("a", *"Wider", "tab", *"more")
        await until(pilot, lambda: KeptForm(lab).read().get("hypothesis") == "more")
    async with room(lab, (80, 24)) as pilot, answered(lab):
        await pilot.press("a")
        await on(pilot, AddForm)
        await until(pilot, lambda: "Wider" in screen_text(pilot) and "more" in screen_text(pilot))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "experiment 16 is queued" in notices(pilot))
        assert KeptForm(lab).read() == {}


async def test_what_was_kept_is_told_as_that_and_can_be_thrown_away(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("a")
        await on(pilot, AddForm)
        assert "as you left it" not in screen_text(pilot)
        await pilot.press("escape", "a")
        await on(pilot, AddForm)
        assert "as you left it" not in screen_text(pilot), "nothing was typed"
        await pilot.press(*"Wider", "escape", "a")
        await until(pilot, lambda: "as you left it" in screen_text(pilot) and "Wider" in screen_text(pilot))
        await pilot.press("shift+tab", "enter")
        await on(pilot, Dashboard)
        await pilot.pause(0.7)
        assert KeptForm(lab).read() == {}
        await pilot.press("a")
        await on(pilot, AddForm)
        assert "Wider" not in screen_text(pilot)
    assert await posted(lab) == []


async def test_a_refusal_comes_back_into_the_form_and_nothing_typed_is_lost(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    await a_real_master(lab)
    bad = tmp_path / "bad.diff"
    bad.write_text("--- a/prepare.py\n+++ b/prepare.py\n@@ -1 +1 @@\n-a\n+b\n")
    async with room(lab, (120, 40)) as pilot, answered(lab):
        await pilot.press("a", "ctrl+s")
        await until(pilot, lambda: "no title" in screen_text(pilot))
        await fill(pilot, title="T", hypothesis="h", priority="high")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "A priority is a whole number" in screen_text(pilot))
        await fill(pilot, priority="5", file=str(tmp_path / "none.diff"))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "cannot be read" in screen_text(pilot))
        await fill(pilot, file=str(bad))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "The patch touches prepare.py" in screen_text(pilot))
        await pilot.press("ctrl+e")  # a test's terminal cannot be handed over
        await until(pilot, lambda: "cannot be handed to an editor" in screen_text(pilot))
        await pilot.press("escape", "a")
        await on(pilot, AddForm)
        form = pilot.app.screen
        assert isinstance(form, AddForm) and form.text("title") == "T" and form.text("file") == str(bad)


async def test_what_is_handed_in_waits_for_its_answer_and_is_handed_in_once(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("a", *"Wider", "tab", *"memory", "ctrl+s")
        await until(pilot, lambda: "the lab is at it" in screen_text(pilot))
        await pilot.press("x", "y", "ctrl+s")
        form = pilot.app.screen
        assert isinstance(form, AddForm) and form.text("hypothesis") == "memory"
        await pilot.press("escape")
        await until(pilot, lambda: "its answer comes as a notice" in notices(pilot))
        await pilot.press("a")
        await on(pilot, AddForm)
        assert pilot.app.screen.query_one("#title", Input).value == "", (
            "what was handed in is not there to hand in again"
        )
        await pilot.press("escape")
        assert [command.arguments["title"] for command in await posted(lab)] == ["Wider"]
        async with answered(lab):
            await until(pilot, lambda: "experiment 16 is queued" in notices(pilot))


async def test_who_goes_on_typing_while_the_form_waits_orders_nothing(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("a", *"Wider", "tab", *"memory", "ctrl+s")
        await until(pilot, lambda: "the lab is at it" in screen_text(pilot))
        async with answered(lab) as store:
            for letter in "PPPPPPPPPP":  # would pause and resume the queue
                await pilot.press(letter)
                await pilot.pause(0.15)
                assert isinstance(pilot.app.screen, AddForm)
            assert await store.experiment(16) is not None, "it was answered meanwhile"
            await on(pilot, Dashboard)
            await until(pilot, lambda: "experiment 16 is queued" in notices(pilot))
            ordered = [row["verb"] for row in await store.rows("SELECT verb FROM commands ORDER BY id")]
        assert ordered.count("pause") == 0 and ordered[-1] == "add", ordered


async def test_a_refusal_after_the_form_was_left_is_told_and_what_was_typed_is_there_again(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    await a_real_master(lab)
    bad = tmp_path / "bad.diff"
    bad.write_text("--- a/prepare.py\n+++ b/prepare.py\n@@ -1 +1 @@\n-a\n+b\n")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("a")
        await on(pilot, AddForm)
        await fill(pilot, title="T", hypothesis="h", file=str(bad))
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "the lab is at it" in screen_text(pilot))
        await pilot.press("escape")
        await on(pilot, Dashboard)
        async with answered(lab):
            await until(pilot, lambda: "The patch touches prepare.py" in notices(pilot))
        await pilot.press("a")
        await on(pilot, AddForm)
        form = pilot.app.screen
        assert isinstance(form, AddForm) and form.text("title") == "T" and form.text("file") == str(bad)


async def test_with_the_daemon_down_the_order_waits_and_the_room_says_so(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab) as pilot:
        lab.identity_file.unlink()  # as far as a room can tell, nobody is there
        await pilot.press("a", *"Wider", "tab", *"memory", "ctrl+s")
        await until(pilot, lambda: "the order waits until it is back" in notices(pilot))
        [command] = await posted(lab)
        assert (command.verb, command.arguments["title"], "strict" in command.arguments) == ("add", "Wider", False)


async def test_an_experiment_is_requeued_with_another_hypothesis_and_edited_while_it_waits(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (120, 40)) as pilot, answered(lab) as store:
        await pilot.press("colon", *"show 4", "enter")
        await until(pilot, lambda: "Idea number 4" in screen_text(pilot))
        await pilot.press("R", "ctrl+s")
        await on(pilot, EditForm)
        await until(pilot, lambda: "Nothing is changed" in screen_text(pilot))
        await fill(pilot, hypothesis="slower is better", title="Slower")
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(pilot.app.screen, EditForm))
        await pilot.press("R")
        await on(pilot, EditForm)
        form = pilot.app.screen
        assert isinstance(form, EditForm)
        assert (form.text("title"), form.text("hypothesis")) == ("Slower", "slower is better"), "nothing is lost"
        await fill(pilot, title="Idea number 4")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "queued as attempt 2" in notices(pilot))
        experiment = await store.experiment(4)
        assert experiment is not None and experiment.hypothesis == "slower is better"
        await pilot.press("R")
        await on(pilot, EditForm)
        await until(pilot, lambda: "4.2, while it waits: Idea number 4" in screen_text(pilot))
        await fill(pilot, hypothesis="slower is much better")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: "waits with your hypothesis" in notices(pilot))
        await store.move(4, State.PATCHING, "a worker has it")
        await pilot.press("R")
        await until(pilot, lambda: "Experiment 4 is patching and has no outcome yet" in notices(pilot))
        await pilot.press("z")
        await until(pilot, lambda: "is patching; only what still waits" in notices(pilot))
        await pilot.press("escape", "4", "space", "space", "R")
        await until(pilot, lambda: "One experiment is edited at a time and 2 are marked" in notices(pilot))


async def test_the_command_line_completes_and_remembers(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("colon", *"dro", "tab")
        line = pilot.app.screen.query_one(Input)
        assert line.value == "drop "
        await until(pilot, lambda: "An idea that waits (proposed)" in screen_text(pilot))
        await pilot.press("tab", "tab")
        assert line.value == "drop 13"
        await pilot.press("shift+tab", "enter")
        await on(pilot, Confirm)
        assert "Drop experiment 14?" in screen_text(pilot)
        await pilot.press("escape", "colon", "up")
        await on(pilot, CommandLine)
        assert pilot.app.screen.query_one(Input).value == "drop 14"
        await pilot.press("escape")
        await on(pilot, Dashboard)


async def test_a_line_that_is_not_understood_stays_to_be_mended_under_the_way_it_is_written(tmp_path: Path) -> None:
    lab = await make_room_lab(tmp_path / "lab")
    async with room(lab, (80, 24)) as pilot:
        await pilot.press("colon", *"priority ")
        await until(pilot, lambda: ":priority ID N" in screen_text(pilot))
        await pilot.press(*"14 x", "enter")
        await until(pilot, lambda: "A priority is a whole number" in screen_text(pilot))
        await on(pilot, CommandLine)
        await pilot.press("backspace", "7")
        await until(pilot, lambda: ":priority ID N" in screen_text(pilot))
        await pilot.press("escape", "colon", *"results state=nothing", "enter")
        await until(pilot, lambda: "There is no state `nothing`" in screen_text(pilot))
        await pilot.press("escape")
        await on(pilot, Dashboard)
        await pilot.press("colon", "up")
        assert pilot.app.screen.query_one(Input).value == "results state=nothing"
        await pilot.press("up", "down", "enter", "escape", "colon", *"priority 14 7", "enter")
        [order] = await orders(pilot, lab)
        assert (order.verb, order.arguments) == ("priority", {"id": 14, "value": 7})


EDITOR = """#!{python}
import sys
from pathlib import Path
file = Path(sys.argv[-1])
file.write_text(file.read_text().replace("LEARNING_RATE = 1e-3", "LEARNING_RATE = 5e-3"))
"""


@pytest.fixture
def editor(tmp_path: Path) -> Path:
    file = tmp_path / "editor"
    file.write_text(EDITOR.format(python=sys.executable))
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


def test_the_files_are_edited_in_the_persons_editor_and_the_change_is_an_order(tmp_path: Path, editor: Path) -> None:
    import asyncio

    from orchestrator.lab import Lab

    with held_lab(tmp_path / "lab") as root:
        asyncio.run(a_real_master(Lab(root)))
        seat = Seat(room_words(root), EDITOR=str(editor), VISUAL="", XDG_STATE_HOME=str(tmp_path / "state"))
        seat.see("Idea number 12")
        seat.process.send("a")
        seat.see("an experiment of your own")
        seat.process.send("Faster\tit learns sooner\x05")
        seat.see("1 line added, 1 taken out, in train.py")
        seat.process.send("\x13")

        def added() -> str:
            with sqlite3.connect(root / "runs.db") as plain:
                row = plain.execute("SELECT arguments FROM commands WHERE verb = 'add'").fetchone()
            return str(row[0]) if row else ""

        words = str(eventually(added, 30, "the order"))
        assert "+LEARNING_RATE = 5e-3" in words and '"title": "Faster"' in words
        assert list((tmp_path / "state" / "autolab" / "drafts").glob("lab-own-*/train.py")), "kept until it is taken"
        seat.process.send("\x1b")
        seat.process.send("\x1bq")
