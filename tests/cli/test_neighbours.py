"""Another lab at work on the same machine is told of where a lab is started or examined, and nowhere else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from orchestrator.lab import Lab
from orchestrator.neighbours import labs_at_work, told
from tests.command_line import autolab


def test_who_starts_a_lab_beside_another_is_told_which(lab: Path, tmp_path: Path) -> None:
    other = tmp_path / "another lab"
    shutil.copytree(lab, other, symlinks=True)
    first = autolab("start", str(lab))
    try:
        assert first.returncode == 0, first.stderr
        assert lab in labs_at_work() and lab not in labs_at_work(but=Lab(lab))
        second = autolab("start", str(other))
        assert second.returncode == 0 and str(lab) in second.stdout and "on the same slots" in second.stdout
        assert "`autolab stop LAB` ends it" in second.stdout and second.stderr == ""
        found = {one["name"]: one for one in json.loads(autolab("doctor", str(other), "--json").stdout)}
        assert found["other labs"]["ok"] is False and str(lab) in found["other labs"]["found"]
    finally:
        for root in (lab, other):
            autolab("stop", str(root), "--now")
    assert lab not in labs_at_work() and other not in labs_at_work()


def test_the_sentence_names_a_few() -> None:
    assert told([]) == ""
    assert told([Path("/a")]).startswith("Another lab is at work on this machine, on the same slots: /a. ")
    assert "5 other labs are at work on this machine, on the same slots: /a, /b, /c and 2 more." in told(
        [Path(f"/{letter}") for letter in "abcde"]
    )
