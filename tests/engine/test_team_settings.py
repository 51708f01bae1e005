"""Teams in autolab.toml: the one [team] of old labs, teams that compete, and what bad input is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import LabError
from orchestrator.settings import Settings, read_settings
from orchestrator.settings_text import settings_text
from orchestrator.team.models import limits_of, make_model, models_of_role
from orchestrator.team_settings import ROLES, Team, TeamKind
from roles.chat import context_tokens_of
from roles.role_file import load, shipped

HUB = '\n[models.hub]\nkind = "openai"\npreset = "vllm"\nmodel = "m"\n'
OLD = """
[lab]
profile = "cpu"
[run]
budget_seconds = 15
[models.offline]
kind = "offline"
[models.hub]
kind = "openai"
preset = "vllm"
model = "m"
[team]
name = "mine"
researcher = ["hub", "offline"]
planner = "offline"
worker = "hub"
reviewer = "offline"
reporter = "offline"
wave = 7
budget_money = 2.5
"""


def settings(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "autolab.toml"
    path.write_text(text)
    return read_settings(path)


def teams(tmp_path: Path, *more: str, chosen: str = "") -> dict[str, Team]:
    """The teams of a new lab's file with `lab.teams` set, and more sections at its end."""
    text = settings_text("cpu", 15)
    if chosen:
        text = text.replace('# teams = ["specialists", "solo", "offline"]', f"teams = [{chosen}]")
    found = settings(tmp_path, text + HUB + "\n".join(more)).teams_at_work
    return {team.name: team for team in found}


def test_the_one_team_of_an_old_lab_reads_as_before(tmp_path: Path) -> None:
    found = settings(tmp_path, OLD)
    (team,) = found.teams_at_work
    assert (team.name, team.kind, team.alone, team.line) == ("mine", TeamKind.SPECIALISTS, True, "")
    assert team.models["researcher"] == ("hub", "offline") and team.models["worker"] == ("hub",)
    assert (team.wave, team.plateau, team.budget_money) == (7, 20, 2.5)
    assert found.team_names == "mine" and team.agent("worker-1") == "worker-1" and team.key("x") == "x"


def test_a_new_lab_has_one_team_that_is_called_after_what_plays_it(tmp_path: Path) -> None:
    assert list(teams(tmp_path)) == ["offline"]
    text = settings_text("cpu", 15).replace('\nmodel = "offline"', '\nmodel = "hub"') + HUB
    (team,) = settings(tmp_path, text).teams_at_work
    assert team.name == "specialists" and set(team.models.values()) == {("hub",)}


def test_three_teams_come_ready_and_a_models_name_is_all_that_they_need(tmp_path: Path) -> None:
    text = (
        settings_text("cpu", 15)
        .replace('# teams = ["spec', 'teams = ["spec')
        .replace('\nmodel = "offline"', '\nmodel = "hub"')
    )
    found = {team.name: team for team in settings(tmp_path, text + HUB).teams_at_work}
    assert list(found) == ["specialists", "solo", "offline"]
    assert found["specialists"].models == dict.fromkeys(ROLES, ("hub",))
    assert found["solo"].models == {"solo": ("hub",)} and found["solo"].kind is TeamKind.SOLO
    assert found["offline"].models == dict.fromkeys(ROLES, ("offline",))
    assert found["solo"].agent("solo") == "solo.agent" and found["offline"].agent("worker-2") == "offline.worker-2"


def test_a_teams_own_section_goes_before_what_all_teams_share(tmp_path: Path) -> None:
    own = '[teams.deep]\nmodel = "hub"\nwave = 3\nshare = 2\nown_master = true\n[teams.deep.roles.worker]\nreplies = 9'
    shared = "[team.roles.worker]\ntemperature = 0.1\nreplies = 20"
    found = teams(tmp_path, shared, own, chosen='"deep", "offline"')
    assert (found["deep"].wave, found["deep"].share, found["deep"].line) == (3, 2.0, "deep")
    assert (found["offline"].wave, found["offline"].share, found["offline"].line) == (5, 1.0, "")
    limits = found["deep"].limits["worker"]
    assert (limits.temperature, limits.replies) == (0.1, 9)
    worker = load(shipped("worker"))
    assert limits_of(found["deep"], worker).calls == 9 and limits_of(found["offline"], worker).calls == 20
    worker = load(shipped("worker"))
    assert limits_of(found["deep"], load(shipped("planner"))).nudges == 3, "what nobody names stays the loop's own"


def test_without_a_list_every_named_team_is_at_work(tmp_path: Path) -> None:
    assert list(teams(tmp_path, '[teams.one]\nmodel = "hub"', '[teams.two]\nkind = "solo"')) == ["one", "two"]


def test_a_role_files_model_does_not_reach_the_control_arm(tmp_path: Path) -> None:
    text = settings_text("cpu", 15).replace("# teams", "teams") + HUB
    found = settings(tmp_path, text)
    role = tmp_path / "worker.md"
    role.write_text(shipped("worker").read_text().replace("temperature: 0.2", "temperature: 0.2\nmodel: hub"))
    plays = {
        team.name: models_of_role(found, team, load(role))[0] for team in found.teams_at_work if team.name != "solo"
    }
    assert [model.name for model in plays["specialists"]] == ["m", "offline, rule-based, no language model"]
    assert [model.name for model in plays["offline"]] == ["offline, rule-based, no language model"]


BAD = [
    ('"specialists", "sole"', "", r"lab\.teams names the team 'sole'", "Did you mean 'solo'?"),
    ('"solo", "solo"', "", r"names 'solo' twice", "once"),
    ("", "", r"lab\.teams names no team", "specialists"),
    ('"solo"', "[teams.solo]\nshar = 2", r"unknown key `teams\.solo\.shar`", "`share`"),
    ('"solo"', "[teams.solo.roles.solo]\nreplys = 2", r"`teams\.solo\.roles\.solo\.replys`", "`replies`"),
    ('"solo"', "[team.roles.worker]\ntemprature = 1", r"`team\.roles\.worker\.temprature`", "`temperature`"),
    ('"solo"', "[teams.solo.roles.worker]\nreplies = 2", r"teams\.solo\.roles\.worker is for another kind", "solo"),
    ('"solo"', '[teams.solo]\nplanner = "hub"', r"teams\.solo\.planner is for another kind", "solo"),
    ('"solo"', '[teams.solo]\nmodel = "big"', r"teams\.solo\.model names the model 'big'", "[models.big]"),
    ('"solo"', "[teams.solo]\nshare = 0", r"teams\.solo\.share", "Correct it"),
    ('"offline"', '[teams.offline]\nmodel = "hub"', r"is the control arm", "another name"),
    ('"worker"', '[teams.worker]\nmodel = "hub"', r"'worker' cannot be the name", "small letters"),
    ('"A team"', '[teams."A team"]\nmodel = "hub"', r"'A team' cannot be the name", "small letters"),
]


@pytest.mark.parametrize(("chosen", "section", "sentence", "remedy"), BAD)
def test_bad_input_is_told_by_its_key_and_with_a_remedy(
    tmp_path: Path, chosen: str, section: str, sentence: str, remedy: str
) -> None:
    text = settings_text("cpu", 15).replace('# teams = ["specialists", "solo", "offline"]', f"teams = [{chosen}]")
    with pytest.raises(LabError, match=sentence) as told:
        settings(tmp_path, text + HUB + section)
    assert remedy in told.value.remedy


def test_a_name_for_the_one_team_and_a_list_of_teams_exclude_each_other(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"team\.name") as told:
        settings(tmp_path, OLD.replace('profile = "cpu"', 'profile = "cpu"\nteams = ["solo"]'))
    assert "Take it out" in told.value.remedy


def test_a_role_that_nobody_plays_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"team\.worker is missing") as told:
        settings(tmp_path, OLD.replace('worker = "hub"\n', ""))
    assert 'model = "NAME"' in told.value.remedy


@pytest.mark.parametrize(
    ("preset", "more", "window"),
    [("ollama", "", 4096), ("ollama", "context_tokens = 32768\n", 32768), ("vllm", "", None)],
)
def test_a_server_that_cuts_prompts_without_an_error_has_a_window_from_the_start(
    tmp_path: Path, preset: str, more: str, window: int | None
) -> None:
    text = f'\n[models.mine]\nkind = "openai"\npreset = "{preset}"\nmodel = "m"\n{more}'
    found = settings(tmp_path, settings_text("cpu", 15) + text)
    assert context_tokens_of(make_model("mine", found.model_section("mine"))) == window
