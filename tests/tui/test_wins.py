"""The wins reviewed by keyboard, the morning after: each key on a lab that really merged them, and its answer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from textual.pilot import Pilot

from orchestrator.lab import Lab
from orchestrator.measurement.judging import Judging
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer
from tests.tui.answering import answered, context_of
from tests.tui.driving import notices, on, room, screen_text, until
from tests.tui.room_lab import a_real_master, make_empty_lab
from tui.screens.command_line import CommandLine
from tui.screens.dialogs import Confirm
from tui.screens.experiment import ExperimentScreen
from tui.screens.morning import MorningScreen
from tui.screens.review import ReviewScreen

EDITS = [("WEIGHT_DECAY = 0.1", "WEIGHT_DECAY = 0.05"), ("INIT_STD = 0.02", "INIT_STD = 0.01")]
PLACE = Place("cpu0", "a core", "bubblewrap")


async def measure(store: Writer, number: int, kinds: list[RunKind], score: float) -> None:
    for seed, kind in enumerate(kinds, 1):
        experiment = await store.experiment(number)
        assert experiment is not None and experiment.commit_id is not None
        run = await store.begin_run(experiment, kind, seed, PLACE, experiment.commit_id)
        words = Measurement("scored", f"scored {score:.4f}", score + seed / 1000, steps=100, training_seconds=5.0)
        await store.end_run(run.id, words)


async def make_wins(root: Path) -> Lab:
    """A lab whose master has taken experiments 1 and 2, in git as on record."""
    lab = await make_empty_lab(root)
    await a_real_master(lab)
    async with Writer(lab.database) as store:
        await store.set_meta("profile", "cpu")
        await store.set_slots([("cpu0", "CPU core")])
        context = context_of(lab, store)
        repository = context.repository
        await measure(store, 0, [RunKind.BASELINE] * 3, 3.4)
        for number, (old, new) in enumerate(EDITS, 1):
            master = await store.master()
            assert master is not None
            proposal = Proposal(f"Set {new}", "It helps.", "own", old.split()[0])
            made = await store.add_experiment(proposal, author="researcher", team="offline", state=State.QUEUED)
            assert made.id == number
            tree = lab.worktrees / "win"
            repository.checkout_commit(tree, master.commit_id)
            text = (tree / "train.py").read_text()
            (tree / "train.py").write_text(text.replace(old, new))
            commit = repository.commit(tree, made.title, made.hypothesis, {"Experiment": str(number)}, "worker-1")
            branch = repository.set_branch(repository.branch_name(number, 1, made.title), commit)
            told = {"branch": branch, "commit_id": commit, "parent": master.commit_id}
            await store.move(number, State.READY, "ready", **told)
            await measure(store, number, [RunKind.SCREEN, RunKind.CONFIRM, RunKind.CONFIRM], 3.4 - number / 10)
            await store.move(number, State.SCORED, "scored")
            won = await store.move(number, State.CONFIRMING, "again")
            await Judging(context).merge(won, "a real gain", "autolab")
    return lab


async def told(pilot: Pilot[str], *words: str) -> None:
    """The room has said all of this in its notices."""
    await until(pilot, lambda: all(one in notices(pilot) for one in words))
    pilot.app.clear_notifications()


async def shown(pilot: Pilot[str], words: str) -> None:
    await until(pilot, lambda: words in screen_text(pilot))


async def at_review(pilot: Pilot[str]) -> None:
    await pilot.press("b")
    await on(pilot, ReviewScreen)
    await shown(pilot, "26   BETA1" if pilot.app.size.width >= 160 else "+WEIGHT_DECAY = 0.05")


def branches(lab: Lab) -> list[str]:
    words = ["git", "-C", str(lab.root), "branch", "--format=%(refname:short)"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()


async def waiting(lab: Lab) -> list[str]:
    async with Writer(lab.database) as store:
        return [one.title for one in await store.queue()]


async def test_a_win_is_accepted_measured_without_taken_out_exported_and_picked(tmp_path: Path) -> None:
    lab = await make_wins(tmp_path / "lab")
    async with room(lab, (120, 40)) as pilot, answered(lab):
        await at_review(pilot)
        await shown(pilot, "0 of 2 reviewed")
        await pilot.press("A")
        await shown(pilot, "1 of 2 reviewed")
        await pilot.press("A")
        await told(pilot, "experiment 1 is to be reviewed again")
        await shown(pilot, "0 of 2 reviewed")
        await pilot.press("A")
        await shown(pilot, "1 of 2 reviewed")
        await pilot.press("t")
        await told(pilot, "experiment 3 measures master without experiment 1; z takes it back while it waits")
        await shown(pilot, "3 without it ")
        await pilot.press("e")
        await told(pilot, "lab-1-set-weight-decay-0-05.patch")
        assert "+WEIGHT_DECAY = 0.05" in (tmp_path / "lab-1-set-weight-decay-0-05.patch").read_text()
        await pilot.press("c")
        await on(pilot, CommandLine)
        await shown(pilot, ": pick ")
        await pilot.press(*"exp/2-set-init-std-0-01", "enter")
        await told(pilot, "pick: refused", "already")
        await pilot.press("j")
        await shown(pilot, "+INIT_STD = 0.01")
        await pilot.press("c", *"exp/1-set-weight-decay-0-05", "enter")
        await until(pilot, lambda: any(name.startswith("pick/2-") for name in branches(lab)))
        await told(pilot, "pick/2-set-init-std-0-01")

        await pilot.press("k", "X")
        await on(pilot, Confirm)
        await shown(pilot, "Take experiment 1 out of master?")
        await pilot.press("n")
        await on(pilot, ReviewScreen)
        assert [title for title in await waiting(lab) if title.startswith("Revert")] == []
        await pilot.press("X", "y")
        await shown(pilot, "revert 4 ready")
        changed = EDITS[0][1]
        assert sorted(await waiting(lab)) == [
            f"Revert experiment 1: Set {changed}",
            f"Without experiment 1: Set {changed}",
        ]


async def test_with_the_daemon_down_what_is_asked_of_a_win_waits_and_its_patch_is_written_all_the_same(
    tmp_path: Path,
) -> None:
    lab = await make_wins(tmp_path / "lab")
    async with room(lab, (80, 24), alive=False) as pilot:
        await at_review(pilot)
        await pilot.press("A")
        await told(pilot, "The daemon is not running: the order waits")
        await pilot.press("e")
        await until(pilot, lambda: (tmp_path / "lab-1-set-weight-decay-0-05.patch").exists())
        async with Writer(lab.database) as store:
            (order,) = await store.waiting_commands()
        assert (order.verb, order.arguments) == ("accept", {"id": 1})


@pytest.mark.parametrize("size", [(80, 24), (200, 50)], ids=str)
async def test_the_review_screen_is_gone_round_by_keys(tmp_path: Path, size: tuple[int, int]) -> None:
    lab = await make_wins(tmp_path / "lab")
    async with room(lab, size) as pilot:
        await at_review(pilot)
        wide = size[0] >= 160
        await shown(pilot, "side by side ─╯" if wide else "unified ─╯")
        await pilot.press("v")
        await shown(pilot, "unified ─╯" if wide else "side by side ─╯")
        await pilot.press("f")
        await until(pilot, lambda: "2 diff" not in screen_text(pilot))
        await pilot.press("escape")
        await shown(pilot, "2 diff 1")
        await pilot.press("tab", "f")
        await until(pilot, lambda: "1 wins" not in screen_text(pilot) and "2 diff 1" in screen_text(pilot))
        await pilot.press("escape")
        await shown(pilot, "1 wins 2")
        await pilot.press("slash")
        await told(pilot, "Nothing is looked for or sorted here")
        await pilot.press("1", "j")
        await shown(pilot, "2 diff 2")
        await pilot.press("enter")
        await on(pilot, ExperimentScreen)
        await shown(pilot, "Set INIT_STD = 0.01")
        await pilot.press("escape")
        await on(pilot, ReviewScreen)
        await shown(pilot, "2 diff 2")
        await pilot.press("escape")
        assert pilot.app.screen is pilot.app.dashboard  # type: ignore[attr-defined]


async def test_the_morning_leads_to_the_diffs_and_to_the_review(tmp_path: Path) -> None:
    lab = await make_wins(tmp_path / "lab")
    async with room(lab, (120, 40)) as pilot, answered(lab):
        await pilot.press("colon", *"morning 24", "enter")
        await on(pilot, MorningScreen)
        await shown(pilot, "1 wins 2")
        await pilot.press("j", "enter")
        await on(pilot, ExperimentScreen)
        assert "i paper" not in screen_text(pilot), "it names none"
        await shown(pilot, "+INIT_STD = 0.01")
        await pilot.press("escape")
        await on(pilot, MorningScreen)
        await pilot.press("A")
        await told(pilot, "accept")
        await pilot.press("X")
        await on(pilot, Confirm)
        await shown(pilot, "Take experiment 2 out of master?")
        await pilot.press("escape")
        await pilot.press("tab", "G", "g", "2", "1")
        await pilot.press("b")
        await on(pilot, ReviewScreen)
        await shown(pilot, "1 of 2 reviewed")
