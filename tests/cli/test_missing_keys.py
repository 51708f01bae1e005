"""A key that is not set where a lab is started is told at once: no agent of that model could work."""

from __future__ import annotations

import asyncio
import shlex
from pathlib import Path

import pytest

from orchestrator.lab import Lab
from orchestrator.settings import read_settings
from orchestrator.team.keys import keys_not_set
from tests.command_line import autolab
from tests.conftest import set_key
from tests.tui.driving import notices, room, screen_text, until

KEYED = """
[models.hub]
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
model = "m"
api_key_env = "A_KEY_OF_THIS_TEST"

[models.spare]
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
model = "m"
api_key_env = "NOBODY_ASKS_FOR_IT"
"""


def keyed(lab: Path) -> Lab:
    settings = lab / "autolab.toml"
    text = settings.read_text().replace('# worker = "offline"', 'worker = ["offline", "hub"]')
    settings.write_text(text.replace('# reviewer = "offline"', 'reviewer = "hub"') + KEYED)
    return Lab(lab)


def test_only_models_that_somebody_uses_and_only_keys_that_are_not_set_are_told(bare: Path) -> None:
    lab = keyed(bare)
    (told,) = keys_not_set(lab, read_settings(lab.settings_file), {"A_KEY_OF_THIS_TEST": " "})
    assert told.startswith("The model hub (worker, reviewer) needs a key in the environment variable A_KEY_OF_THIS")
    assert keys_not_set(lab, read_settings(lab.settings_file), {"A_KEY_OF_THIS_TEST": "k"}) == []
    role = lab.roles / "planner.md"
    role.write_text(role.read_text().replace("\n---\n", "\nmodel: spare\n---\n", 1))
    told, more = sorted(keys_not_set(lab, read_settings(lab.settings_file), {}))
    assert "The model hub" in told and "The model spare (planner)" in more
    set_key(bare, "teams", '["offline"]')
    assert keys_not_set(lab, read_settings(lab.settings_file), {}) == [], "that team has no other model"


def test_who_starts_a_lab_without_a_key_is_told_at_once(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY_OF_THIS_TEST", raising=False)
    keyed(bare)
    try:
        started = autolab("start", str(bare))
    finally:
        autolab("stop", str(bare), "--now")
    assert started.returncode == 0 and "is at work (process" in started.stdout
    (line,) = started.stderr.splitlines()
    assert "The model hub (worker, reviewer) needs a key in the environment variable A_KEY_OF_THIS_TEST" in line
    where = shlex.quote(str(bare))
    assert f"`autolab stop {where}`, then `autolab start {where}`" in line


async def test_the_room_that_starts_a_lab_shows_what_the_command_line_says(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("A_KEY_OF_THIS_TEST", raising=False)
    try:
        async with room(keyed(bare), alive=False) as pilot:
            told = "start The model hub (worker, reviewer) needs a key"
            await until(pilot, lambda: told in notices(pilot))
            pilot.app.clear_notifications()
            assert (await asyncio.to_thread(autolab, "stop", str(bare), "--now")).returncode == 0
            await until(pilot, lambda: "NOT RUNNING" in screen_text(pilot))
            await pilot.press("S")
            await until(pilot, lambda: told in notices(pilot))
    finally:
        autolab("stop", str(bare), "--now")
