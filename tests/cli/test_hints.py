"""A command that a sentence names is the one to type: with the lab, where it is not the one meant anyway."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.cli.hints import for_lab
from orchestrator.lab import Lab, LabLock
from orchestrator.store.writer import Writer
from tests.command_line import autolab


def a_lab(root: Path) -> Lab:
    root.mkdir(parents=True)
    (root / "autolab.toml").write_text("")
    return Lab(root)


def a_diff(root: Path) -> str:
    """A change of the lab's program against its master."""
    program = root / "train.py"
    text = program.read_text()
    program.write_text(text.replace("1e-3", "2e-3", 1))
    words = ["git", "-C", str(root), "diff", "train.py"]
    changed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    program.write_text(text)
    return changed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Watch it with `autolab-tui`.", "Watch it with `autolab-tui mine`."),
        ("`autolab stop --now` or `autolab show 3`", "`autolab stop --now mine` or `autolab show 3 mine`"),
        ("`autolab --help` and `autolab run --help`", "`autolab --help` and `autolab run --help`"),
        ("`autolab init lab`, `autolab stop LAB`, `kill 3`", "`autolab init lab`, `autolab stop LAB`, `kill 3`"),
        ("`autolab start mine`", "`autolab start mine`"),
        ("`git branch -D pick/1-a`, `git diff`", "`git -C mine branch -D pick/1-a`, `git diff`"),
    ],
)
def test_the_lab_stands_behind_each_command_that_takes_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert for_lab(text, a_lab(tmp_path / "mine")) == told


def test_a_command_that_names_another_lab_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, other = a_lab(tmp_path / "mine"), a_lab(tmp_path / "an other")
    monkeypatch.chdir(tmp_path)
    stop = f"`autolab stop {shlex.quote(str(other.root))}`"
    assert for_lab(f"{stop} or `autolab stop`", mine) == f"{stop} or `autolab stop mine`"
    assert for_lab("`autolab add --patch /a/b.diff`", mine) == "`autolab add --patch /a/b.diff mine`"
    assert for_lab("`autolab message all don't`", mine) == "`autolab message all don't mine`"


def test_the_lab_is_named_as_it_is_typed_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, default = a_lab(tmp_path / "here" / "my lab"), a_lab(tmp_path / "here" / "lab")
    monkeypatch.chdir(tmp_path / "here")
    assert for_lab("`autolab-tui`", mine) == "`autolab-tui 'my lab'`"
    assert for_lab("`autolab-tui`", default) == "`autolab-tui`"
    monkeypatch.chdir(mine.root)
    assert for_lab("`autolab-tui`", mine) == "`autolab-tui`"
    assert for_lab("`autolab-tui`", default) == f"`autolab-tui {default.root}`"


def test_git_is_told_where_the_lab_is_also_where_that_is_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    default = a_lab(tmp_path / "lab")
    monkeypatch.chdir(tmp_path)
    assert for_lab("`git branch`, `autolab start`", default) == "`git -C lab branch`, `autolab start`"
    monkeypatch.chdir(default.root)
    assert for_lab("`git branch`", default) == "`git branch`"


def test_refusals_and_answers_name_the_lab(bare: Path, tmp_path: Path) -> None:
    mine = tmp_path / "my lab"
    shutil.copytree(bare, mine, symlinks=True)
    word, here = shlex.quote(mine.name), tmp_path / "elsewhere"
    here.mkdir()
    missing = autolab("show", "77", mine.name, cwd=tmp_path)
    assert f"`autolab results {word}` and `autolab queue {word}`" in missing.stderr
    assert f"`autolab start {word}` starts it" in autolab("status", mine.name, cwd=tmp_path).stdout
    assert f"`autolab start {shlex.quote(str(mine))}` starts it" in autolab("status", str(mine), cwd=here).stdout
    assert "`autolab start` starts it" in autolab("status", cwd=mine).stdout
    (tmp_path / "mine.diff").write_text(a_diff(mine))
    words = ("--title", "T", "--hypothesis", "H", "--patch", str(tmp_path / "mine.diff"))
    assert autolab("add", str(mine), *words).returncode == 0
    nowhere = autolab("pick", "1", "nobranch", mine.name, cwd=tmp_path)
    assert nowhere.returncode == 1 and f"`git -C {word} branch` lists the branches" in nowhere.stderr, nowhere.stderr
    lock = LabLock(Lab(mine))
    lock.acquire()
    try:
        held = autolab("run", mine.name, "--experiments", "1", cwd=tmp_path)
        assert f"`autolab-tui {word}`, or end it with `autolab stop {word}`" in held.stderr, held.stderr
    finally:
        lock.release()


def test_the_lab_stands_behind_the_commands_that_an_event_names(bare: Path) -> None:
    async def tell() -> None:
        async with Writer(Lab(bare).database) as store:
            await store.event("anomaly", "vault", "`autolab review` shows them")

    asyncio.run(tell())
    told = autolab("events", str(bare)).stdout
    assert f"`autolab review {shlex.quote(str(bare))}` shows them" in told, told
