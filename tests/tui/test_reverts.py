"""A win that was taken out of master again: its revert is told apart wherever wins are counted or listed."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from orchestrator.branches import Repository
from orchestrator.cli.reviewing import morning_json, win_json
from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.measurement.judging import Judging
from orchestrator.patches.rebasing import bring_up_to_master
from orchestrator.patches.requeueing import new_attempt, requeue
from orchestrator.patches.reverting import ablate, revert
from orchestrator.report.facts import facts_of
from orchestrator.report.markdown import markdown
from orchestrator.report.notebook import notebook
from orchestrator.review.answering import accept, pick_onto
from orchestrator.review.morning import morning_of
from orchestrator.review.wins import wins_of
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.vault import undecided, vault_verdicts
from orchestrator.store.writer import Writer
from orchestrator.views import baseline_of, results_json
from tests.command_line import autolab
from tests.tui.answering import context_of
from tests.tui.driving import on, room, screen_text, until
from tests.tui.test_wins import EDITS, make_wins, measure
from tui.changes import Changing
from tui.mornings import facts
from tui.reviewing import heading, review_word
from tui.screens.morning import MorningScreen
from tui.screens.review import ReviewScreen

ADA = "ada@box"
LONG_AGO = "2020-01-01T00:00:00.000Z"


async def take_out(context: Context, win: int, number: int) -> None:
    """Master takes the revert `number` of a win."""
    store = context.store
    one = await store.experiment(win)
    assert one is not None
    await revert(context, one, ADA)
    await measure(store, number, [RunKind.SCREEN, RunKind.CONFIRM, RunKind.CONFIRM], 3.35)
    await store.move(number, State.SCORED, "scored")
    taken = await store.move(number, State.CONFIRMING, "again")
    await Judging(context).merge(taken, "by decision", ADA)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    """Master has taken experiments 1 and 2, and then 3, which takes 1 out again."""
    lab = await make_wins(tmp_path / "lab")
    async with Writer(lab.database) as store:
        await take_out(context_of(lab, store), 1, 3)
    yield lab


async def test_a_revert_is_no_win_in_any_count(lab: Lab) -> None:
    async with Writer(lab.database) as store:
        morning = await morning_of(store, LONG_AGO)
        assert [win.experiment.id for win in morning.wins] == [1, 2]
        assert [win.experiment.id for win in morning.reverts] == [3]
        assert morning.outcomes == {State.PROMOTED: 3}, "the start is no outcome"
        assert dict(facts(morning))["merged"].startswith("2 wins, 1 taken out")
        told = morning_json(morning)
        assert [len(told[name]) for name in ("wins", "reverts")] == [2, 1]
        assert [win_json(win)["takes_out"] for win in await wins_of(store)] == [None, None, 1]
        changes = await Changing().look(store, LONG_AGO)
        assert changes is not None and (changes.merged, changes.reverted) == (3, 1), "the start was taken too"
        baseline = await baseline_of(store)
        assert baseline.promotions == 1, "what is out of master is no win in it"
        assert baseline.believed == pytest.approx(baseline.gains[2])
        for number in (1, 3):
            await store.decide_vault(number, "the vault agrees", None)
        assert list(await vault_verdicts(store)) == [1], "nobody has claimed a gain of the revert"
        undecided_still = [one.id for one in await undecided(store)]
        assert undecided_still == [2]
        told = autolab("status", str(lab.root)).stdout
        assert next(line.split(maxsplit=1)[1] for line in told.splitlines() if line.startswith("counts")).startswith(
            "2 merged, 1 taken out"
        )
        revert_of_it = await store.experiment(3)
        assert revert_of_it is not None
        with pytest.raises(LabError, match="takes experiment 1 out of master: it is no win to review"):
            await accept(context_of(lab, store), revert_of_it, ADA)


async def test_a_win_that_was_taken_out_reads_so_and_comes_back_with_a_revert_of_the_revert(lab: Lab) -> None:
    lines = autolab("results", str(lab.root), "--where", "state=taken_out").stdout.splitlines()
    assert [line.split("\t")[:2] for line in lines[1:]] == [["1", "taken out"]]
    assert any(
        line.split() == ["state", "taken", "out"] for line in autolab("show", "1", str(lab.root)).stdout.splitlines()
    )
    async with room(lab, (120, 40)) as pilot:
        await until(pilot, partial(shows, pilot, "◇ taken out"))
        assert shows(pilot, "master 3.")
        await pilot.press("colon", *"show 1", "enter")
        await until(pilot, partial(shows, pilot, "◇ taken out of master by 3; it was merged as"))
    async with Writer(lab.database) as store:
        context = context_of(lab, store)
        first, of_it = await store.experiment(1), await store.experiment(3)
        assert first is not None and of_it is not None
        with pytest.raises(LabError, match="was taken out of master by experiment 3"):
            await new_attempt(context, first, ADA)
        with pytest.raises(LabError, match="was taken out of master by experiment 3 already") as refused:
            await revert(context, first, ADA)
        assert "`autolab revert 3` puts it back" in str(refused.value)
        looking = Changing()
        before = await looking.look(store, LONG_AGO)
        assert before is not None and before.returned == 0
        assert "master with experiment 1 in it again" in await revert(context, of_it, ADA)
        back = await store.experiment(4)
        assert back is not None and back.title.startswith("Put back experiment 1: ")
        words = {win.experiment.id: review_word(win) for win in await wins_of(store)}
        assert words == {1: "return 4 ready", 2: "to review", 3: "return 4 ready"}
        with pytest.raises(LabError, match="Experiment 4 does that already and is ready"):
            await revert(context, of_it, ADA)
        await measure(store, 4, [RunKind.SCREEN], 3.1)
        await store.move(4, State.SCORED, "scored")
        await Judging(context).judge()
        entries = {one["id"]: one for one in await results_json(store)}
        assert entries[4]["state"] == "promoted"
        assert {number: entry.get("taken_out_by") for number, entry in entries.items()} == {
            0: None,
            1: None,
            2: None,
            3: 4,
            4: None,
        }
        assert "taken_out_by" not in entries[1], "the contract's fields alone where nothing was taken out"
        assert [win.taken_out for win in await wins_of(store) if win.experiment.id == 1] == [None], "it is back"
        changes = await looking.look(store, LONG_AGO)
        assert changes is not None and (changes.reverted, changes.returned) == (1, 1)
        morning = await morning_of(store, LONG_AGO)
        assert dict(facts(morning))["merged"].startswith("2 wins, 1 taken out, 1 put back")
        assert {win.experiment.id: review_word(win) for win in await wins_of(store)} == {
            1: "to review",
            2: "to review",
            3: "took out 1",
            4: "put back 1",
        }
        report = markdown(await facts_of(lab, store), None)
        assert "(taken out by" not in report and "Put back experiment 1" in report
        back, of_it, first = [await store.experiment(number) for number in (4, 3, 1)]
        assert back is not None and of_it is not None and first is not None
        for one, said in ((back, "Experiment 4 put experiment 1 back."), (of_it, "has put experiment 1 back already")):
            with pytest.raises(LabError, match=said) as refused:
                await revert(context, one, ADA)
            assert "`autolab revert 1` takes it out" in str(refused.value)
        await revert(context, first, ADA)


async def test_a_win_is_taken_out_as_decided_or_not_at_all(lab: Lab) -> None:
    """What a worker makes in its place would be merged without having beaten anything."""
    async with Writer(lab.database) as store:
        context = context_of(lab, store)
        second = await store.experiment(2)
        assert second is not None
        for order in (revert, ablate):
            await order(context, second, ADA)
        asked = await store.move(4, State.READY, "ready")
        await store.move(5, State.READY, "ready")
        for words in ({"hypothesis": "another"}, {"patch": "--- a/train.py"}):
            with pytest.raises(LabError, match="Revert experiment 2 is master without that win, and nothing else"):
                await requeue(context, asked, words, ADA)
        master = await store.master()
        assert master is not None
        tree = lab.worktrees / "somebody"
        context.repository.checkout_commit(tree, master.commit_id)
        (tree / "train.py").write_text((tree / "train.py").read_text().replace(EDITS[1][1], "INIT_STD = 0.03"))
        commit = context.repository.commit(tree, "Mine", "mine", {}, ADA)
        assert context.repository.advance("refs/heads/master", commit, master.commit_id)
        await store.adopt_master(commit, 3, "a commit of a person's own")
        over = await bring_up_to_master(context, asked)
        assert over.state is State.REJECTED
        told = "experiment 2 cannot be taken out as it was asked for: master has changed since in the same lines of "
        assert over.reason == f"{told}train.py"
        with pytest.raises(LabError, match="`autolab revert 2` asks for the same of the present one"):
            await requeue(context, over, {}, ADA)
        await measure(store, 5, [RunKind.SCREEN], 3.3)
        over = await bring_up_to_master(context, await store.move(5, State.SCORED, "scored"))
        assert over.state is State.DISCARDED and "measured on an older master; master has changed" in over.reason


async def test_a_master_of_which_everything_is_out_again_has_gained_nothing(lab: Lab) -> None:
    with closing(sqlite3.connect(lab.database)) as connection, connection:
        connection.execute("UPDATE experiments SET taken_out_by = 3 WHERE id = 2")
    async with Writer(lab.database) as store:
        baseline = await baseline_of(store)
        assert (baseline.gain, baseline.believed, baseline.promotions, baseline.expected_false) == (0.0, 0.0, 0, 0.0)
        wins = await wins_of(store)
        assert "gain together +0.0000" in "".join(said.text for said in heading(wins, 120))
        morning = await morning_of(store, LONG_AGO)
        assert morning.believed == pytest.approx(baseline.gains[2]), "the revert of it is not told here"
        with pytest.raises(LabError, match="was taken out of master by experiment 3: there is nothing to review"):
            await accept(context_of(lab, store), wins[0].experiment, ADA)
    told = autolab("status", str(lab.root)).stdout
    assert "gain     0.0000 since the start; 0.0000 believed; 0 wins in it" in told


async def test_report_and_notebook_tell_what_was_taken_out(lab: Lab) -> None:
    async with Writer(lab.database) as store:
        found = await facts_of(lab, store)
        report = markdown(found, None)
        wins, rest = report.split("## Wins, in the order of master")[1].split(
            "## Taken out of master again, and put back"
        )
        assert "(taken out by 3)" in wins and "| 3 |" not in wins
        assert "| 3 | Revert experiment 1" in rest
        wins = notebook(found, [], [], []).split("## Wins")[1].split("##")[0]
        assert "1 Set WEIGHT\\_DECAY = 0.05" in wins and "taken out of master again by 3" in wins
        assert "Revert" not in wins


async def test_a_measurement_without_a_win_is_told_as_one_and_not_as_an_idea_that_failed(tmp_path: Path) -> None:
    lab = await make_wins(tmp_path / "lab")
    async with Writer(lab.database) as store:
        context = context_of(lab, store)
        first = await store.experiment(1)
        assert first is not None
        await ablate(context, first, ADA)
        await measure(store, 3, [RunKind.SCREEN], 3.6)
        await store.move(3, State.SCORED, "scored")
        await Judging(context).judge()
        found = await store.experiment(3)
        assert found is not None and found.state is State.DISCARDED and " ± " in found.reason
        morning = await morning_of(store, LONG_AGO)
        assert morning.outcomes == {State.PROMOTED: 2} and morning.own == ()
        assert [one.id for one in morning.measured] == [3] and morning.ran == 3
        report = markdown(await facts_of(lab, store), None)
        assert "## What wins are still worth" in report and "1 measured" in report and "discarded" not in report
    lines = autolab("results", str(lab.root)).stdout.splitlines()
    assert next(line for line in lines if line.startswith("3\t")).split("\t")[1] == "measured"
    counts = next(line for line in autolab("status", str(lab.root)).stdout.splitlines() if line.startswith("counts"))
    assert "1 measured" in counts and "discarded" not in counts
    told = autolab("morning", str(lab.root), "--hours", "90000").stdout
    assert any(line.startswith("measured\t3\tWithout experiment 1") for line in told.splitlines())
    assert "discarded" not in told
    shown = autolab("show", "3", str(lab.root)).stdout.splitlines()
    assert any(line.split() == ["state", "measured"] for line in shown)
    ablations = autolab("results", str(lab.root), "--where", "state=measured").stdout
    assert [line.split("\t")[0] for line in ablations.splitlines()[1:]] == ["3"]
    async with room(lab, (120, 40)) as pilot:
        await until(pilot, partial(shows, pilot, "∆ measured"))


def shows(pilot: Pilot[str], words: str) -> bool:
    return words in screen_text(pilot)


async def test_the_room_shows_a_revert_beside_the_wins(lab: Lab) -> None:
    async with room(lab, (120, 40)) as pilot:
        await pilot.press("b")
        await on(pilot, ReviewScreen)
        await until(pilot, lambda: "1 of 2 reviewed, 1 taken out" in screen_text(pilot))
        await until(pilot, partial(shows, pilot, "1 wins 2, 1 taken out"))
        await until(pilot, lambda: "2 diff 2" in screen_text(pilot))  # the first that waits for a review
        await pilot.press("G")
        await until(pilot, partial(shows, pilot, "took out 1: X on this puts it back"))
        await pilot.press("escape", "colon", *"morning 24", "enter")
        await on(pilot, MorningScreen)
        await until(pilot, lambda: "2 wins, 1 taken out" in screen_text(pilot))
        await until(pilot, partial(shows, pilot, "1 wins 2, 1 taken out"))


async def test_a_pick_onto_what_holds_the_change_says_so_and_a_revert_makes_room_for_it(lab: Lab) -> None:
    repository = Repository(lab.root)
    text = repository.show_file("master", "train.py").decode()
    repository.commit_files({"train.py": text.replace("INIT_STD = 0.01", "INIT_STD = 0.03").encode()}, "By hand")
    async with Writer(lab.database) as store:
        context = context_of(lab, store)
        first, second = await store.experiment(1), await store.experiment(2)
        assert first is not None and second is not None
        with pytest.raises(LabError, match="Experiment 2 is in master already"):
            await pick_onto(context, second, "master")
        assert "is master with experiment 1's change" in await pick_onto(context, first, "master")
