"""Another lab at work on the same machine is told of where a lab is started or examined, and nowhere else."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

from orchestrator.lab import Lab
from orchestrator.neighbours import labs_at_work, named, remedy, told
from tests.command_line import autolab


def test_who_starts_a_lab_beside_another_is_told_which(lab: Path, tmp_path: Path) -> None:
    other = tmp_path / "another lab"
    shutil.copytree(lab, other, symlinks=True)
    first = autolab("start", str(lab))
    try:
        assert first.returncode == 0, first.stderr
        assert lab in labs_at_work() and lab not in labs_at_work(but=Lab(lab))
        second = autolab("start", str(other))
        assert second.returncode == 0 and f"on the same slots: {lab.name}. " in second.stdout
        ends = f"`autolab stop {shlex.quote(str(lab))}` ends it."
        assert ends in second.stdout and second.stderr == ""
        assert ends in autolab("doctor", str(other)).stdout
        found = {one["name"]: one for one in json.loads(autolab("doctor", str(other), "--json").stdout)}
        assert found["other labs"]["ok"] is False
        assert found["other labs"]["found"] == f"at work on the same slots: {lab.name}"
    finally:
        for root in (lab, other):
            autolab("stop", str(root), "--now")
    assert lab not in labs_at_work() and other not in labs_at_work()


def test_the_sentence_names_a_few() -> None:
    own = Lab(Path("/x/mine"))
    assert told([], own) == ""
    assert told([Path("/a")], own) == (
        "Another lab is at work on this machine, on the same slots: a. "
        "`autolab-tui /a` opens it, `autolab stop /a` ends it."
    )
    five = told([Path(f"/{letter}") for letter in "abcde"], own)
    assert "5 other labs are at work on this machine, on the same slots: a, b, c and 2 more." in five
    assert "`autolab stop LAB` ends one, where LAB is /a or /b or /c." in five


def test_labs_of_one_name_are_told_by_their_paths() -> None:
    two = [Path("/a/lab"), Path("/b/lab"), Path("/c/other")]
    assert named(two, None) == "/a/lab, /b/lab, other"
    assert named([Path("/a/lab"), Path("/c/other")], Lab(Path("/here/lab"))) == "/a/lab, other"
    assert remedy([Path("/a/my lab")]) == "`autolab-tui '/a/my lab'` opens it, `autolab stop '/a/my lab'` ends it."
