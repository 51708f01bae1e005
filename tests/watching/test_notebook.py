"""The notebook: written beside the research, commit by commit, and never in anybody's way."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.store.records import RunKind
from orchestrator.store.states import State
from orchestrator.store.writer import Measurement, Place, Proposal, Writer
from orchestrator.watching.notebook import Notebook


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout.strip()


async def discard(store: Writer, title: str, score: float) -> None:
    start = await store.experiment(0)
    assert start is not None and start.commit_id is not None
    if not await store.runs_of(0):
        base = await store.begin_run(start, RunKind.BASELINE, 1, Place("cpu0", "a core", "bubblewrap"), start.commit_id)
        await store.end_run(base.id, Measurement("scored", "scored", 3.0))
    proposal = Proposal(title, "It may help.", "arXiv:2104.09864")
    made = await store.add_experiment(proposal, author="a test", team="none", state=State.QUEUED)
    ready = await store.move(
        made.id, State.READY, "ready", branch=f"exp/{made.id}", commit_id=f"{made.id:040x}", parent=start.commit_id
    )
    run = await store.begin_run(ready, RunKind.SCREEN, 1, Place("cpu0", "a core", "bubblewrap"), f"{made.id:040x}")
    await store.end_run(run.id, Measurement("scored", "scored", score))
    await store.move(made.id, State.SCORED, "scored")
    await store.move(made.id, State.DISCARDED, "no better")


async def keep(lab: Path, *titles: str) -> list[bool]:
    """What the notebook said of a change after each of the titles was discarded, and once more at the end."""
    changed = []
    async with opened(Lab(lab)) as context:
        book = Notebook(context)
        for number, title in enumerate(titles):
            await discard(context.store, title, 3.1 + number / 100)
            changed.append(await book.keep())
        changed.append(await book.keep())
    return changed


def test_the_notebook_grows_on_its_own_branch_and_master_and_checkout_stay_clean(lab: Path) -> None:
    master = git(lab, "rev-parse", "master")
    before = git(lab, "status", "--porcelain")
    assert asyncio.run(keep(lab, "A | deeper model", "A *wider* one")) == [True, True, False]
    assert git(lab, "rev-list", "--count", "notebook") == "2"
    assert git(lab, "ls-tree", "--name-only", "notebook") == "notebook.md"
    text = (lab / "notebook.md").read_text()
    assert text.strip() == git(lab, "show", "notebook:notebook.md")
    again = text.split("## Do not repeat")[1]
    assert r"2 A \*wider\* one: +0.1100" in again and r"1 A \| deeper model: +0.1000" in again
    assert git(lab, "rev-parse", "master") == master and git(lab, "status", "--porcelain") == before


def test_a_file_of_that_name_in_the_repository_is_left_alone(lab: Path) -> None:
    (lab / "notebook.md").write_text("My own thoughts.\n")
    git(lab, "add", "notebook.md")
    git(lab, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "My notebook", "--", "notebook.md")
    asyncio.run(keep(lab, "An idea"))
    assert (lab / "notebook.md").read_text() == "My own thoughts.\n"
    assert "An idea" in git(lab, "show", "notebook:notebook.md")


def test_a_branch_of_that_name_with_other_files_is_left_alone(lab: Path) -> None:
    git(lab, "branch", "notebook", "master")
    before = git(lab, "rev-parse", "notebook")
    asyncio.run(keep(lab, "An idea"))
    assert git(lab, "rev-parse", "notebook") == before
