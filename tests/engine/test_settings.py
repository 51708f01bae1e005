"""autolab.toml: every key known and checked, errors as one sentence with a remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.errors import LabError
from orchestrator.live_settings import change_setting
from orchestrator.settings import read_settings
from orchestrator.settings_text import settings_text


def written(tmp_path: Path, old: str = "", new: str = "") -> Path:
    text = settings_text("cpu", 15)
    assert old in text
    path = tmp_path / "autolab.toml"
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_the_settings_of_a_new_lab_are_valid_and_every_key_is_explained(tmp_path: Path, profile: str) -> None:
    path = tmp_path / "autolab.toml"
    path.write_text(settings_text(profile, 15))  # type: ignore[arg-type]
    settings = read_settings(path)
    assert settings.lab.profile == profile
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            above = lines[number - 1]
            assert above.startswith(("#", "[")) or " = " in above, f"{line!r} stands without a comment"


def test_an_unknown_key_names_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(LabError) as told:
        read_settings(written(tmp_path, "budget_seconds", "budget_secconds"))
    assert "run.budget_secconds" in str(told.value) and "`budget_seconds`" in told.value.remedy


def test_a_value_of_the_wrong_kind_names_the_key_and_the_value(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="grace_seconds"):
        read_settings(written(tmp_path, "grace_seconds = 0.4", 'grace_seconds = "long"'))


def test_broken_toml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="line"):
        read_settings(written(tmp_path, "[run]", "[run"))


def test_a_team_with_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"team\.worker") as told:
        read_settings(written(tmp_path, '# worker = "offline"', 'worker = "big"'))
    assert "[models.big]" in told.value.remedy


@pytest.mark.parametrize(
    "address",
    [
        "http://me:s3cret@host/v1",
        "https://s3cret@host/v1",
        "https://host/v1?key=s3cret",
        "https://host/v1#s3cret",
        "http://me:s3cret@[host/v1",
        "me:s3cret@host",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(tmp_path: Path, address: str) -> None:
    path = tmp_path / "autolab.toml"
    path.write_text(settings_text("cpu", 15) + f'[models.far]\nkind = "openai"\nmodel = "m"\nbase_url = "{address}"\n')
    with pytest.raises(LabError, match=r"models\.far\.base_url") as told:
        read_settings(path)
    assert "s3cret" not in str(told.value) and told.value.remedy


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("budget_hours", "1e400", "cannot be inf: it must be a finite number"),
        ("budget_hours", "nan", "cannot be nan: it must be a finite number"),
        ("budget_money", "1e300", "it must be at most 10^12"),
        ("plateau", "99999999999999999999999", "it must be at most 10^12"),
        ("workers", "99999999999999999999999", "it must be"),
        ("wave", "9" * 5000, "wave"),
    ],
)
def test_a_number_that_nothing_can_hold_is_refused_and_the_file_stays(
    tmp_path: Path, key: str, value: str, why: str
) -> None:
    path = written(tmp_path)
    before = path.read_text()
    with pytest.raises(LabError, match=re.escape(why)) as refused:
        change_setting(path, f"team.{key}", value)
    assert len(str(refused.value)) < 250 and path.read_text() == before
    path.write_text(f"{before}\n[models.far]\nkind = 'openai'\nmodel = 'm'\nmax_tokens = {value}\n")
    with pytest.raises(LabError):
        read_settings(path)


def test_large_numbers_that_mean_something_are_taken(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert change_setting(path, "team.budget_tokens", "50_000_000_000").settings.team.budget_tokens == 50 * 10**9
