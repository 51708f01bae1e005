"""The settings that a score depends on have a hash of their own, and the others have no part in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.measurement.conditions import conditions_of
from orchestrator.settings import settings_from
from orchestrator.settings_text import settings_text
from tests.targets.test_script_targets import script


def of_script(**changes: Any) -> str:
    target = script(**changes)
    return conditions_of(settings_from(settings_text("cpu", target.budget_seconds, target), Path("autolab.toml")))


@pytest.mark.parametrize(
    "changes",
    [
        {"command": ("python", "train.py", "--quick")},
        {"metric": r"^best: (\S+)$"},
        {"direction": "maximise"},
        {"budget_seconds": 7.0},
        {"timeout_seconds": 700.0},
        {"environment": {"DEPTH": "3"}},
        {"readable": ("/data",)},
    ],
)
def test_what_a_scripts_score_depends_on_changes_the_hash(changes: dict[str, Any]) -> None:
    assert of_script(**changes) != of_script() and len(of_script(**changes)) == 8


def test_how_progress_is_told_and_how_much_is_logged_do_not(tmp_path: Path) -> None:
    assert of_script(progress=None) == of_script()
    text = settings_text("cpu", 15.0)
    wordier = text.replace("log_kib = 4096", "log_kib = 8192")
    longer = re.sub(r"^budget_seconds = .*$", "budget_seconds = 45", text, flags=re.MULTILINE)
    plain, more, other = (conditions_of(settings_from(one, tmp_path)) for one in (text, wordier, longer))
    assert wordier != text and plain == more != other
