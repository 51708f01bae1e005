"""A lab that is made inside a person's own repository lies open there: `init` says what to do, once."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.command_line import autolab


def test_a_lab_inside_a_repository_is_told_to_be_ignored_there(tmp_path: Path, corpus: Path) -> None:
    place = tmp_path / "work"
    subprocess.run(["git", "init", "-q", str(place)], check=True)
    (place / "labs").mkdir()
    told = autolab("init", "labs/mine", "--profile", "cpu", cwd=place)
    assert f"stands in the git repository {place}: add /labs/mine/ to its .gitignore." in told.stdout, told.stdout
    (place / ".gitignore").write_text("/labs/\n")
    assert "gitignore" not in autolab("init", "labs/another", "--profile", "cpu", cwd=place).stdout
    assert "gitignore" not in autolab("init", "mine", "--profile", "cpu", cwd=tmp_path).stdout
