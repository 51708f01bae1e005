"""The [target] section of autolab.toml: a script's keys explained and checked, a nanogpt lab's as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import LabError
from orchestrator.settings import Settings, read_settings
from orchestrator.settings_text import settings_text
from orchestrator.targets.recognition import AUTORESEARCH_METRIC, AUTORESEARCH_PROGRESS
from orchestrator.targets.target import NanogptTarget, ScriptTarget, script_target

SCRIPT = script_target(
    command=("uv", "run", 'say "it\'s\\done".py', "{budget_seconds}"),
    editable=("train.py", "ünter/grün.py"),
    protected=("prepare.py",),
    metric=AUTORESEARCH_METRIC,
    direction="maximise",
    progress=AUTORESEARCH_PROGRESS,
    budget_seconds=300,
    timeout_seconds=600,
)


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "autolab.toml"
    path.write_text(text)
    return read_settings(path)


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_what_is_written_for_a_script_is_read_back_the_same_and_every_key_is_explained(
    tmp_path: Path, profile: str
) -> None:
    text = settings_text(profile, 300, SCRIPT)  # type: ignore[arg-type]
    assert settings(tmp_path, text).optimised() == SCRIPT
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert lines[number - 1].startswith(("#", "[")) or " = " in lines[number - 1], f"{line!r} is not explained"


def test_a_script_without_a_progress_pattern_is_read_back_the_same(tmp_path: Path) -> None:
    script = script_target(
        command=("make",),
        editable=("a.c",),
        protected=(),
        metric="time: (.*) s",
        direction="minimise",
        progress="",
        budget_seconds=2.5,
        timeout_seconds=5,
    )
    assert settings(tmp_path, settings_text("cpu", 2.5, script)).optimised() == script


def test_a_nanogpt_lab_needs_none_of_a_scripts_keys(tmp_path: Path) -> None:
    text = settings_text("cpu", 15)
    assert settings(tmp_path, text).optimised() == NanogptTarget(("train.py",), ("prepare.py",))
    start, end = text.index("[target]"), text.index("[run]")
    assert isinstance(settings(tmp_path, text[:start] + text[end:]).optimised(), NanogptTarget)


@pytest.mark.parametrize(
    ("old", "new", "words", "remedy"),
    [
        ('kind = "script"', 'kind = "nanogpt"', "target.command is for kind", "kind"),
        ('kind = "script"', 'kind = "shell"', "target.kind", ""),
        ("timeout_seconds = 600", "", "target.timeout_seconds is missing", "--from REPO"),
        ("timeout_seconds = 600", "timeout_seconds = -1", "target.timeout_seconds", ""),
        ("timeout_seconds = 600", "timeout_seconds = 30", "less than run.budget_seconds", "room"),
        ('direction = "maximise"', 'direction = "up"', "target.direction", ""),
        ('direction = "maximise"', "", "target.direction is missing", "Add it"),
        ('direction = "maximise"', 'direktion = "maximise"', "unknown key `target.direktion`", "`direction`"),
        ('protected = ["prepare.py"]', "", "target.protected is missing", "Add it"),
        ('protected = ["prepare.py"]', 'protected = ["train.py"]', "train.py stands in both", "one of the two"),
        (f"metric = '{AUTORESEARCH_METRIC}'", "metric = 'val: (('", "is no regular expression", "single quotes"),
        (f"metric = '{AUTORESEARCH_METRIC}'", "metric = 'val'", "0 groups, and one is wanted", "brackets"),
    ],
)
def test_a_wrong_target_is_one_sentence_with_a_remedy(
    tmp_path: Path, old: str, new: str, words: str, remedy: str
) -> None:
    text = settings_text("cpu", 300, SCRIPT)
    assert old in text
    with pytest.raises(LabError) as told:
        settings(tmp_path, text.replace(old, new))
    assert words in told.value.sentence and remedy in told.value.remedy
    assert told.value.sentence.startswith("autolab.toml") and isinstance(SCRIPT, ScriptTarget)


def test_a_nanogpt_target_with_a_file_on_both_sides_is_refused(tmp_path: Path) -> None:
    text = settings_text("cpu", 15).replace('protected = ["prepare.py"]', 'protected = ["train.py"]')
    with pytest.raises(LabError, match=r"train.py stands in both"):
        settings(tmp_path, text)
