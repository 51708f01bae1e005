"""Another lab at work on the same machine is told of where a lab is started or examined, and nowhere else."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from orchestrator.lab import Lab
from orchestrator.neighbours import labs_at_work, named, remedy, told
from tests.command_line import autolab
from tests.conftest import eventually


def tells_of(lab: Path, text: str) -> bool:
    """Whether it is among those that the sentence names, and how it is looked at follows where it is the only one."""
    words = " ".join(text.split())
    sentence = re.search(r"on the same slots: (.+?)[. ]+Look at (.+?`.+?`)", words)
    assert sentence is not None, text
    names = re.split(r", | and (?=\d+ more)", sentence[1])
    if names == [str(lab)]:
        return sentence[2] == f"it with `autolab-tui {shlex.quote(str(lab))}`"
    return str(lab) in names or names[-1].endswith("more")


def test_who_starts_a_lab_beside_another_is_told_which(lab: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / lab.name
    shutil.copytree(lab, other, symlinks=True)
    first = autolab("start", str(lab))
    try:
        assert first.returncode == 0, first.stderr
        assert lab in labs_at_work() and lab not in labs_at_work(but=Lab(lab))
        second = autolab("start", str(other))
        assert second.returncode == 0 and second.stderr == ""
        assert tells_of(lab, second.stdout)
        assert tells_of(lab, autolab("doctor", str(other)).stdout)
        found = {one["name"]: one for one in json.loads(autolab("doctor", str(other), "--json").stdout)}
        assert found["other labs"]["ok"] is False
        assert tells_of(lab, f"{found['other labs']['found']}. {found['other labs']['remedy']}")
    finally:
        for root in (lab, other):
            autolab("stop", str(root), "--now")
    assert lab not in labs_at_work() and other not in labs_at_work()


def test_a_lab_that_runs_in_the_foreground_is_another_lab_at_work(measured: Path) -> None:
    """Its command line need not name it: here it is the lab of the current directory."""
    words = [sys.executable, "-m", "orchestrator.cli.main", "run", "--experiments", "99"]
    running = subprocess.Popen(
        words, cwd=measured, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        eventually(lambda: measured in labs_at_work())
        assert measured not in labs_at_work(but=Lab(measured))
    finally:
        autolab("stop", str(measured), "--now")
        running.wait(60)
    assert measured not in labs_at_work()


def test_the_sentence_names_a_few_by_their_paths() -> None:
    assert told([]) == ""
    assert told([Path("/a/my lab")]) == (
        "Another lab is at work on this machine, on the same slots: /a/my lab. "
        "Look at it with `autolab-tui '/a/my lab'`."
    )
    five = [Path(f"/{letter}") for letter in "abcde"]
    assert named(five) == "/a, /b, /c and 2 more"
    assert told(five).startswith("5 other labs are at work on this machine, on the same slots: /a, /b, /c and 2 more.")
    assert remedy(five) == "Look at one with `autolab-tui LAB`, LAB being its path."
