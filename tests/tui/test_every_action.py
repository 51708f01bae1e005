"""Every action that changes the lab, on an experiment in every state: done, or refused with the reason.

The order itself is tried in every state; from the room, by its key or its word, in one state that allows it and one
that does not, and with the daemon down.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Label

from orchestrator.actions import ACTIONS, BY_NAME, Kind
from orchestrator.engine.answering import Answering, NoHands
from orchestrator.lab import Lab
from orchestrator.measurement.judging import Judging
from orchestrator.store.records import Command
from orchestrator.store.states import ENDED, State, in_words
from orchestrator.store.writer import Writer
from tests.tui.answering import answered, context_of
from tests.tui.driving import notices, on, room, screen_text, until
from tests.tui.states_lab import UNDERWAY, make_states_lab
from tui.remedies import in_room
from tui.screens.adding import AddForm, EditForm
from tui.screens.dashboard import Dashboard
from tui.screens.dialogs import Confirm, Write
from tui.screens.experiment import ExperimentScreen
from tui.steering import POINTLESS

WAITING = {State.PROPOSED, State.QUEUED, State.PATCHING, State.READY}
AGAIN = set(ENDED) - {State.PROMOTED}
STATES = set(State)

ALLOWED: dict[str, set[State]] = {
    "requeue": AGAIN,
    "edit_requeue": AGAIN | (WAITING - {State.PATCHING}),
    "raise": STATES - set(ENDED),
    "lower": STATES - set(ENDED),
    "priority": STATES - set(ENDED),
    "drop": WAITING,
    "promote": {State.DISCARDED, State.NOT_CONFIRMED},
    "revert": set(),  # of what is promoted only the start is here, and nothing was before it
    "ablate": set(),
    "accept": set(),
}
OF_A_RUN = {"pause_run", "stop_run", "kill", "pause", "resume"}
OF_NO_EXPERIMENT = {"pause_queue", "message", "add", "undo", "set", "import"}
WITH_A_PATCH = STATES - WAITING - {State.DROPPED, State.GIVEN_UP, State.REJECTED, State.PROMOTED} | {State.READY}


Made = tuple[Lab, dict[State, int]]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Made:
    lab, experiments = asyncio.run(make_states_lab(tmp_path_factory.mktemp("states") / "lab"))
    shutil.rmtree(lab.worktrees)
    subprocess.run(["git", "worktree", "prune"], cwd=lab.root, check=True)
    return lab, experiments


@pytest.fixture
def made(original: Made, tmp_path: Path) -> Made:
    """A lab with an experiment in every state, for one test."""
    shutil.copytree(original[0].root, tmp_path / "lab", symlinks=True)
    return Lab(tmp_path / "lab"), original[1]


def test_the_list_of_actions_tried_here_is_whole() -> None:
    changing = {action.name for action in ACTIONS if action.kind is Kind.COMMAND}
    assert changing == set(ALLOWED) | OF_A_RUN | OF_NO_EXPERIMENT | {"pick"}


async def begin(pilot: Pilot[str], lab: Lab, name: str, number: int, *, asked: bool = True) -> None:
    """Press the action's key on the experiment's own screen, or type its word; answer what it asks."""
    action = BY_NAME[name]
    while not isinstance(pilot.app.screen, Dashboard):
        pilot.app.pop_screen()
        await pilot.pause()
    if action.keys:
        pilot.app.push_screen(ExperimentScreen(lab, pilot.app._reader, number))
        await until(pilot, lambda: f"{number}" in screen_text(pilot))
        await pilot.press(action.keys[0])
    else:
        value = " 30" if name == "priority" else ""
        await pilot.press("colon", *f"{action.verb} {number}{value}", "enter")
    if action.confirm and asked:
        await on(pilot, Confirm)
        assert str(pilot.app.screen.query(Label).first().content) == action.confirm.format(number)
        await pilot.press("y")


async def the_answer(pilot: Pilot[str], lab: Lab, count: int) -> Command:
    """The newest of so many orders, answered, once the room says so."""
    async with Writer(lab.database) as store, asyncio.timeout(20):
        while True:
            row = await store.row("SELECT max(id) AS id, count(*) AS n FROM commands")
            if row is not None and row["n"] == count:
                command = await store.answer(row["id"], 10)
                break
            await pilot.pause(0.05)
    await until(pilot, lambda: in_room(command.answer) in notices(pilot))
    return command


def verb_of(name: str) -> str:
    return {"raise": "priority", "lower": "priority", "pause_run": "pause"}.get(name) or BY_NAME[name].verb or name


@pytest.mark.parametrize("name", sorted((set(ALLOWED) | OF_A_RUN) - {"edit_requeue"}))
async def test_it_is_done_where_the_chart_allows_it_and_else_refused_with_the_reason(made: Made, name: str) -> None:
    lab, experiments = made
    async with Writer(lab.database) as store:
        context = context_of(lab, store)
        answering = Answering(context, Judging(context), NoHands())
        for state, number in experiments.items():
            words = {"id": number} | ({"value": 30} if verb_of(name) == "priority" else {})
            posted = await store.post_command(verb_of(name), words, "ada@box")
            await answering.answer_all()
            command = await store.answer(posted, 0)
            if name in OF_A_RUN:
                # No process stands behind the runs of this lab; what becomes of a real one, tests/runs shows.
                told = (
                    "The run has just ended" if state in UNDERWAY else f"is {in_words(state)} and has no run under way"
                )
                assert command.state == "refused" and told in command.answer, (state, command.answer)
            elif state is State.NOT_CONFIRMED and name == "promote":
                # Promoting the first moved master: the second was measured on an older one.
                assert command.state == "refused" and "older master" in command.answer
            elif state in ALLOWED[name]:
                assert command.state == "done" and f"xperiment {number}" in command.answer, (state, command.answer)
            else:
                because = (in_words(state), "starting point", "part of master")
                assert command.state == "refused" and f"Experiment {number} " in command.answer, command.answer
                assert any(words in command.answer for words in because), (state, command.answer)


@pytest.mark.parametrize("verb", ["requeue", "priority", "promote"])
async def test_the_order_that_a_refusal_names_is_carried_out_as_it_stands(made: Made, verb: str) -> None:
    lab, experiments = made
    followed = 0
    async with Writer(lab.database) as store:
        context = context_of(lab, store)
        answering = Answering(context, Judging(context), NoHands())

        async def given(order: str, number: int) -> Command:
            posted = await store.post_command(order, {"id": number, "value": 30}, "ada@box")
            await answering.answer_all()
            return await store.answer(posted, 0)

        for number in experiments.values():
            first = await given(verb, number)
            for order, named in re.findall(r"`autolab (requeue|drop) (\d+)`", first.answer):
                assert first.state == "refused" and int(named) == number, first.answer
                then = await given(order, number)
                assert then.state == "done", (first.answer, then.answer)
                followed += 1
    assert followed > 3


@pytest.mark.parametrize("name", sorted((set(ALLOWED) | OF_A_RUN) - {"edit_requeue"}))
async def test_the_room_tells_the_answer_and_with_the_daemon_down_that_the_order_waits(made: Made, name: str) -> None:
    lab, experiments = made
    allowed = sorted(UNDERWAY if name in OF_A_RUN else ALLOWED[name])
    meant = allowed or [State.PROMOTED]  # of wins there is only the start here, which is none: the daemon says so
    other = next(state for state in State if state not in meant)
    async with room(lab, (120, 40)) as pilot, answered(lab):
        await begin(pilot, lab, name, experiments[meant[0]])
        command = await the_answer(pilot, lab, 1)
        assert (command.state == "done") == (bool(allowed) and name not in OF_A_RUN), command.answer
        assert command.state == "done" or f"{command.verb}: refused" in notices(pilot)
        pilot.app.clear_notifications()
        if BY_NAME[name].confirm:  # what would be refused is not asked about first
            await begin(pilot, lab, name, experiments[other], asked=False)
            words = f"is {other.replace('_', ' ')}: {POINTLESS[verb_of(name)]}"
            await until(pilot, lambda: words in notices(pilot))
            assert not isinstance(pilot.app.screen, Confirm)
        else:
            await begin(pilot, lab, name, experiments[other])
            refused = await the_answer(pilot, lab, 2)
            assert refused.state == "refused" and f"{refused.verb}: refused" in notices(pilot)
    async with room(lab, (120, 40), alive=False) as pilot:
        await begin(pilot, lab, name, experiments[meant[-1]])
        await until(pilot, lambda: "The daemon is not running: the order waits" in notices(pilot))
        async with Writer(lab.database) as store:
            [command] = await store.waiting_commands()
        assert command.arguments["id"] == experiments[meant[-1]] and "@" in command.actor


async def test_editing_opens_a_form_where_nobody_is_at_work_and_else_says_why_not(made: Made) -> None:
    lab, experiments = made
    async with room(lab, (120, 40)) as pilot:
        for state in State:
            number = experiments[state]
            await begin(pilot, lab, "edit_requeue", number)
            if state in ALLOWED["edit_requeue"]:
                await on(pilot, EditForm)
                await until(pilot, lambda number=number: f"{number}" in screen_text(pilot))
            else:
                words = "part of master" if state is State.PROMOTED else f"is {state}"
                await until(pilot, lambda words=words: words in notices(pilot))
                assert not isinstance(pilot.app.screen, EditForm)
            pilot.app.clear_notifications()


async def test_a_change_is_picked_onto_a_branch_where_there_is_one(made: Made) -> None:
    lab, experiments = made
    async with answered(lab), room(lab, (120, 40)) as pilot:
        for count, state in enumerate((State.QUEUED, State.PROMOTED, State.READY, State.DISCARDED), 1):
            await pilot.press("colon", *f"pick {experiments[state]} master", "enter")
            command = await the_answer(pilot, lab, count)
            assert (command.state == "done") == (state in WITH_A_PATCH), (state, command.answer)
            assert state in WITH_A_PATCH or "no patch to pick" in command.answer
            pilot.app.clear_notifications()


async def test_earlier_results_are_imported_from_a_file_that_tab_completes(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab, _ = made
    columns = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
    place = tmp_path / "earlier"
    place.mkdir()
    monkeypatch.chdir(place)
    (place / "good.tsv").write_text(f"{columns}a1b2c3d\t0.99\t44.0\tkeep\thalve the batch\n")
    (place / "bad.tsv").write_text(f"{columns}a1b2c3d\tfast\t44.0\tkeep\thalve the batch\n")
    async with answered(lab), room(lab, (120, 40)) as pilot:
        await pilot.press("colon", *"import", "space")
        line = pilot.app.screen.query_one(Input)
        await until(pilot, lambda: "good.tsv" in screen_text(pilot))
        await pilot.press("g", "tab")
        assert line.value == "import good.tsv "
        await pilot.press("enter")
        await until(pilot, lambda: "1 result of good.tsv imported as history" in notices(pilot))
        await pilot.press("colon", *"import", "space", *"bad.tsv", "enter")
        await until(pilot, lambda: "bad.tsv: line 2" in notices(pilot))
        await pilot.press("colon", *"import", "space", *"none.tsv", "enter")
        await until(pilot, lambda: "none.tsv" in notices(pilot))


async def test_what_is_of_no_experiment_is_done_too_and_waits_while_the_daemon_is_down(made: Made) -> None:
    lab, _ = made
    async with answered(lab), room(lab, (120, 40)) as pilot:
        for count, (keys, words) in enumerate(
            [
                (("P",), "the queue is paused"),
                (("P",), "the queue is resumed"),
                (("colon", *"set team.wave 7", "enter"), "the setting team.wave is 7, was 5"),
            ],
            1,
        ):
            await pilot.press(*("space" if key == " " else key for key in keys))
            assert words in (await the_answer(pilot, lab, count)).answer
        await pilot.press("z")
        await on(pilot, Confirm)
        await pilot.press("y")
        assert "undone" in (await the_answer(pilot, lab, 4)).answer
        for count, (text, words) in enumerate(
            [("nobody hello", "There is no agent 'nobody'"), ("all hello", "every agent reads it at its next job")], 5
        ):
            await pilot.press("colon", *("space" if key == " " else key for key in f"message {text}"), "enter")
            assert words in (await the_answer(pilot, lab, count)).answer
        await pilot.press("a")
        await on(pilot, AddForm)
        await pilot.press("escape")
        await on(pilot, Dashboard)
        await pilot.press("m")
        await on(pilot, Write)
        await pilot.press("escape")
        await pilot.press("colon", *"import", "enter")
        await until(pilot, lambda: "`import` takes one file" in notices(pilot))
        await pilot.press("colon", *"trackio", "enter")
        await until(pilot, lambda: "on the command line only" in screen_text(pilot))
    async with room(lab, (120, 40), alive=False) as pilot:
        await pilot.press("P")
        await until(pilot, lambda: "The daemon is not running: the order waits" in notices(pilot))
        await until(pilot, lambda: "S starts it, 1 order waits" in screen_text(pilot))
        await pilot.press("z")
        await until(pilot, lambda: "Take back the pause?" in screen_text(pilot))
        await pilot.press("y")
        await until(pilot, lambda: "the pause is taken back" in notices(pilot))
        await until(pilot, lambda: "1 order waits" not in screen_text(pilot))
