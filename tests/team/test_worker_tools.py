"""A worker's tools: whole functions, checks and smoke runs before a submission, and jobs that begin in the middle."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.patches.rebasing import bring_up_to_master
from orchestrator.patches.requeueing import requeue
from orchestrator.patches.returning import RETRIES
from orchestrator.patches.submitting import add_own
from orchestrator.store.records import Experiment
from orchestrator.store.states import State
from orchestrator.team.jobs import Job, JobBook, JobKind, Prepared
from roles.agent import Finished, GaveUp
from roles.playing import Playing
from tests.conftest import set_key
from tests.team.team_lab import baseline, call, ended, in_lab, waiting
from tui.drafts import begin, unified_diff

RATE = ("LEARNING_RATE = 1e-3", "LEARNING_RATE = 2e-3")


async def patching(context: Context, experiment: Experiment, playing: Playing | None = None) -> Prepared:
    if experiment.state is State.QUEUED:
        await context.store.move(experiment.id, State.PATCHING, "worker-1 makes the patch", actor="worker-1")
    tree = context.lab.worktrees / "worker-1"
    job = Job(JobKind.PATCH, "patch it", experiment.id)
    return await JobBook(context).prepare(job, "worker-1", playing or Playing("a model"), tree)


def test_a_patch_is_made_by_function_checked_tried_and_submitted(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        made = await waiting(context, "Squared ReLU", variable="activation")
        playing = Playing("a model")
        tools = (await patching(context, made, playing)).tools
        choices = {one.name: one.spec.parameters["properties"]["path"] for one in tools if "file" in one.name}
        assert choices["edit_file"]["enum"] == ["train.py"]
        assert choices["read_file"]["enum"] == ["train.py", "prepare.py", "program.md", "notebook.md"]
        assert "import torch" in await call(tools, "read_file", path="./train.py")
        assert "There is no file 'model.py'" in await call(tools, "read_file", path="model.py")
        assert "The patch would be refused: The patch changes nothing." in await call(tools, "check_patch")
        crash = "def activation(x):\n    return x @ torch.zeros(3, 4)\n"
        assert "activation is replaced" in await call(
            tools, "replace_function", path="train.py", name="activation", code=crash
        )
        tried = await call(tools, "smoke_run")
        assert tried.startswith("refused: ") and ("RuntimeError" in tried or "cannot" in tried), tried
        sound = "def activation(x):\n    return F.relu(x).square()\n"
        await call(tools, "replace_function", path="train.py", name="activation", code=sound)
        again = await call(tools, "replace_function", path="train.py", name="activation", code=sound)
        assert "just so already" in again
        assert "may not be changed" in await call(tools, "replace_function", path="prepare.py", name="pick", code=sound)
        checked = await call(tools, "check_patch")
        assert checked == "The rules let it pass. It changes: function activation. It was to change: activation."
        assert await call(tools, "smoke_run") == "It trained a few steps and saved its model."
        playing.model = "its stand-in"  # the first one has failed
        assert await call(tools, "submit_patch", summary="squared") == "The patch is submitted."
        stored = await context.store.experiment(made.id)
        assert stored is not None and stored.commit_id is not None and stored.role_model == "its stand-in"

    in_lab(bare, play)


def test_where_smoke_runs_are_off_the_worker_has_no_such_tool(bare: Path) -> None:
    set_key(bare, "smoke_run", '"off"')

    async def play(context: Context) -> None:
        await baseline(context)
        tools = (await patching(context, await waiting(context, "An idea"))).tools
        assert "smoke_run" not in {tool.name for tool in tools}

    in_lab(bare, play)


def test_a_stale_patch_that_conflicts_comes_back_with_what_it_was(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        stale = await ended(context, "A higher rate", RATE, 2.9, State.NOT_CONFIRMED)
        winner = await ended(context, "A lower rate", (RATE[0], "LEARNING_RATE = 5e-4"), 2.8, State.NOT_CONFIRMED)
        assert winner.parent and winner.commit_id
        merged = context.repository.merge(winner.parent, winner.commit_id, "Promote it\n")
        assert context.repository.advance("refs/heads/master", merged, winner.parent)
        await context.store.promote(winner.id, merged, "a win")
        ready = await context.store.move(stale.id, State.READY, "once more")
        back = await bring_up_to_master(context, ready)
        assert back.state is State.QUEUED
        brief = (await patching(context, back)).brief
        assert "conflicts with master in train.py: goes back to a worker" in brief
        assert "+LEARNING_RATE = 2e-3" in brief

    in_lab(bare, play)


def test_a_persons_patch_that_conflicts_outlives_the_worker_that_gives_it_up(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    async def play(context: Context) -> None:
        await baseline(context)
        program = (context.lab.root / "train.py").read_text()
        diff = unified_diff({"train.py": program}, {"train.py": program.replace(*RATE)})
        words = {"title": "My rate", "hypothesis": "It helps.", "patch": diff}
        mine = int(await add_own(context, words, "ada@box"))
        winner = await ended(context, "A lower rate", (RATE[0], "LEARNING_RATE = 5e-4"), 2.8, State.NOT_CONFIRMED)
        assert winner.parent and winner.commit_id
        merged = context.repository.merge(winner.parent, winner.commit_id, "Promote it\n")
        assert context.repository.advance("refs/heads/master", merged, winner.parent)
        await context.store.promote(winner.id, merged, "a win")
        own = await context.store.experiment(mine)
        assert own is not None and own.state is State.READY
        back = await bring_up_to_master(context, own)
        assert back.state is State.QUEUED and back.commit_id is None
        job = Job(JobKind.PATCH, "patch it", mine)
        await patching(context, back)
        cannot = Finished("give_up", {"reason": "I only know the catalogue"}, "", 0, 0)
        await JobBook(context).conclude(job, "worker-1", cannot)

        given_up = await context.store.experiment(mine)
        assert given_up is not None and given_up.state is State.GIVEN_UP
        assert given_up.commit_id == own.commit_id and given_up.parent == own.parent
        why = (
            "master has changed in the lines of its patch, and the worker says: I only know the catalogue; the patch is"
        )
        assert given_up.reason.startswith(f"given up: {why} kept, and R (")
        assert "+LEARNING_RATE = 2e-3" in await context.diff(given_up)
        draft = begin(context.lab, merged, "a test", given_up)
        text = draft.files()[0].read_text()
        assert "<<<<<<< master" in text and "LEARNING_RATE = 5e-4" in text and "LEARNING_RATE = 2e-3" in text
        with pytest.raises(LabError, match="conflicts with the present master"):
            await requeue(context, given_up, {}, "ada@box")

    in_lab(bare, play)


def test_a_job_without_an_end_goes_back_into_the_queue_a_bounded_number_of_times_with_the_reason(bare: Path) -> None:
    async def play(context: Context) -> None:
        await baseline(context)
        made = await waiting(context, "An idea")
        book, job = JobBook(context), Job(JobKind.PATCH, "patch it", made.id)
        for number in range(1, RETRIES + 1):
            await context.store.move(made.id, State.PATCHING, "worker-1 makes the patch")
            await book.conclude(job, "worker-1", GaveUp("the model made the same call again and again", 0, 0))
            back = await context.store.experiment(made.id)
            assert back is not None and back.state is State.QUEUED
            assert back.reason == (
                f"goes back into the queue, {number} of {RETRIES}: the model made the same call again and again"
            )
        brief = (await patching(context, back)).brief
        assert "It came back to the queue: goes back into the queue, 2 of 2: the model made the same call" in brief
        await book.conclude(job, "worker-1", GaveUp("its endpoint fails", 0, 0, endpoint=True))
        waits = await context.store.experiment(made.id)
        assert waits is not None and waits.reason == "waits for its model's endpoint: its endpoint fails"
        await context.store.move(made.id, State.PATCHING, "worker-1 makes the patch")
        await book.conclude(job, "worker-1", GaveUp("still no end", 0, 0))
        gone = await context.store.experiment(made.id)
        assert gone is not None and gone.state is State.GIVEN_UP and gone.reason == "given up: still no end"

    in_lab(bare, play)
