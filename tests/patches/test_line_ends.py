"""Line ends: an agent sees and writes \\n, and a file keeps those that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.context import Context
from orchestrator.patches.line_ends import read_source, write_source
from orchestrator.patches.tuning import tune
from orchestrator.store.states import State
from orchestrator.team.jobs import Job, JobBook, JobKind
from roles.playing import Playing
from tests.team.team_lab import baseline, call, in_lab, waiting


@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        ("a\r\nb\r\n", "a\nc\n", "a\r\nc\r\n"),
        ("a\r\nb", "a\r\nb\r\nc", "a\r\nb\r\nc"),
        ("a\nb\r\nc\nd\n", "a\nb\nx\nd\n", "a\nb\r\nx\nd\n"),
        ("a\nb\n", "a\r\nb\r\nc\r\n", "a\nb\nc\n"),
        ("a", "a\nb\n", "a\nb\n"),
        ("a\r\n", "", ""),
    ],
)
def test_a_line_that_stays_keeps_its_end_and_a_new_one_ends_as_most_do(
    tmp_path: Path, before: str, text: str, after: str
) -> None:
    file = tmp_path / "train.py"
    file.write_bytes(before.encode())
    write_source(file, text)
    assert file.read_bytes() == after.encode()
    assert read_source(file) == after.replace("\r\n", "\n")


async def windows_lines(context: Context) -> None:
    """The lab's master is a train.py whose lines end as on Windows."""
    master, tree = await context.master(), context.lab.worktrees / "windows"
    context.repository.checkout_commit(tree, master.commit_id)
    content = (tree / "train.py").read_bytes()
    (tree / "train.py").write_bytes(content.replace(b"\n", b"\r\n"))
    commit = context.repository.commit(tree, "Windows", "Its line ends.", {}, "ada")
    context.repository.remove_worktree(tree)
    await context.store.add_start(commit, "Windows", "its line ends", "ada")


def changed_lines(diff: str) -> list[str]:
    return [line for line in diff.split("\n") if line.startswith(("+", "-")) and line[:3] not in ("+++", "---")]


def test_an_edit_of_a_file_with_windows_lines_changes_those_lines_alone(bare: Path) -> None:
    async def play(context: Context) -> None:
        await windows_lines(context)
        await baseline(context)
        made = await waiting(context, "A higher rate", variable="LEARNING_RATE")
        await context.store.move(made.id, State.PATCHING, "worker-1 makes the patch")
        tree = context.lab.worktrees / "worker-1"
        job = Job(JobKind.PATCH, "patch it", made.id)
        tools = (await JobBook(context).prepare(job, "worker-1", Playing("a model"), tree)).tools
        assert "\r" not in await call(tools, "read_file", path="train.py")
        old, new = "def activation(x):\n    return", "def activation(x):\n    # squared\n    return"
        assert "is changed" in await call(tools, "edit_file", path="train.py", old=old, new=new)
        edited = context.repository.uncommitted_diff(tree)
        assert changed_lines(edited) == ["+    # squared\r"]
        code = "def activation(x):\n    return F.relu(x).square()\n"
        await call(tools, "replace_function", path="train.py", name="activation", code=code)
        replaced = changed_lines(context.repository.uncommitted_diff(tree))
        assert len(replaced) == 2 and all(line.endswith("\r") for line in replaced), replaced
        assert "It changes: function activation." in await call(tools, "check_patch")

    in_lab(bare, play)


def test_a_tuned_constant_of_a_file_with_windows_lines_is_a_patch_of_one_line(bare: Path) -> None:
    async def play(context: Context) -> None:
        await windows_lines(context)
        await baseline(context)
        (made,) = await tune(context, "LEARNING_RATE", 1, actor="planner", team="offline", priority=0, reason="try")
        made_again = await context.store.experiment(made.id)
        assert made_again is not None
        assert len(changed_lines(await context.diff(made_again))) == 2

    in_lab(bare, play)
