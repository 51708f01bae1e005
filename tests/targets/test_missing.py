"""What a script names that is not there is told with what brings it there."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.targets.missing import what_is_missing
from orchestrator.targets.recognition import Wishes, recognise
from orchestrator.targets.target import ScriptTarget
from tests.layouts import AUTORESEARCH, make_repository, tracked

LOADS = "from kernels import get_kernel\nget_kernel('some-one/attn')\n"


def test_environment_data_and_kernels_are_missed_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, programs = tmp_path / "home", tmp_path / "bin"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    root = make_repository(tmp_path / "r", {**AUTORESEARCH, "train.py": LOADS + AUTORESEARCH["train.py"]})
    target = recognise(root, tracked(root), Wishes()).target
    assert isinstance(target, ScriptTarget)

    def told() -> tuple[str, str]:
        return what_is_missing(target, root) or ("", "")

    programs.mkdir()
    (programs / "uv").write_text("#!/bin/sh\n")
    (programs / "uv").chmod(0o755)
    made = f"`UV_PROJECT_ENVIRONMENT={home}/.cache/autoresearch/venv uv sync` in the repository makes it."
    assert told()[1] == made
    (home / ".cache" / "autoresearch" / "venv").mkdir(parents=True)
    assert told()[0] == "None of the kernels that it loads is in ~/.cache/huggingface/hub."
    (home / ".cache" / "huggingface" / "hub" / "models--some-one--attn").mkdir(parents=True)
    assert told() == ("", ""), "one of both places is where it is kept"


def test_data_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    files = {name: text for name, text in AUTORESEARCH.items() if name not in ("pyproject.toml", "uv.lock")}
    root = make_repository(tmp_path / "r", files)
    target = recognise(root, tracked(root), Wishes()).target
    assert isinstance(target, ScriptTarget)
    missing = what_is_missing(target, root)
    assert missing is not None and missing[0] == "There is no ~/.cache/autoresearch, which a run is to read."
