"""Settings that change under a lab at work: checked, written with their comments, and worked by at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import LabError
from orchestrator.live_settings import change_setting, flat, is_live, with_key
from orchestrator.settings import read_settings
from orchestrator.settings_text import settings_text


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "autolab.toml"
    path.write_text(settings_text("cpu", 15))
    return path


def test_only_the_value_changes_in_the_file_and_every_comment_stays(file: Path) -> None:
    before = file.read_text().splitlines()
    change = change_setting(file, "team.wave", "7")
    after = file.read_text().splitlines()
    assert (change.before, change.after, change.settings.team.wave) == ("5", "7", 7)
    assert [(a, b) for a, b in zip(before, after, strict=True) if a != b] == [("wave = 5", "wave = 7")]


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("early_stopping.enabled", "off", "enabled = false"),
        ("early_stopping.limit", "0.1", "limit = 0.1"),
        ("team.workers", "auto", 'workers = "auto"'),
        ("team.workers", "3", "workers = 3"),
        ("team.budget_money", "20", "budget_money = 20.0"),
    ],
)
def test_a_value_is_written_as_its_type_has_it(file: Path, key: str, value: str, written: str) -> None:
    change_setting(file, key, value)
    assert written in file.read_text().splitlines()
    read_settings(file)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("team.wave", "none", "`team.wave` cannot be 'none'"),
        ("team.wave", "0", "greater than"),
        ("early_stopping.limit", "0.7", "less than 0.5"),
        ("run.budget_seconds", "9", "not changed while the lab is at work.*stop and start"),
        ("team.waves", "9", "Did you mean `team.wave`"),
        ("nonsense", "9", "autolab settings"),
    ],
)
def test_a_refused_value_leaves_the_file_as_it_was(file: Path, key: str, value: str, why: str) -> None:
    before = file.read_text()
    with pytest.raises(LabError, match=why):
        change_setting(file, key, value)
    assert file.read_text() == before


def test_what_else_a_person_has_written_into_the_file_waits_for_the_next_start(file: Path) -> None:
    running = read_settings(file)
    file.write_text(file.read_text().replace("budget_seconds = 15", "budget_seconds = 60"))
    change = change_setting(file, "team.wave", "7")
    settings = with_key(running, change.settings, "team.wave")
    assert (settings.team.wave, settings.run.budget_seconds) == (7, 15)
    assert read_settings(file).run.budget_seconds == 60


def test_a_key_that_is_taken_out_is_back_at_its_default(file: Path) -> None:
    assert change_setting(file, "team.plateau", None).settings.team.plateau == 20
    assert change_setting(file, "team.plateau", "8").before is None


def test_every_setting_is_listed_and_those_to_change_now_are_among_them(file: Path) -> None:
    known = flat(read_settings(file))
    assert known["models.offline.kind"] == "offline" and known["run.budget_seconds"] == 15
    live = [key for key in known if is_live(key)]
    assert len(live) == 11 and "team.workers" in live and "promotion.rule" not in live
    assert is_live("teams.a.wave") and not is_live("teams.a.name")
    assert is_live("teams.a.share") and not is_live("team.share")
