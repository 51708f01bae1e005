"""What a person writes for the lab at work is seen, and the lab says from when on it counts."""

from __future__ import annotations

from pathlib import Path

from orchestrator.context import Context
from orchestrator.engine.setting import set_setting
from orchestrator.watching.instructions import Instructions
from tests.conftest import set_key
from tests.team.team_lab import in_lab


async def told(context: Context) -> list[str]:
    return [event.reason for event in await context.store.events() if " has changed: " in event.reason]


def test_each_file_that_a_person_changes_is_told_of_once_with_when_it_counts(bare: Path) -> None:
    async def play(context: Context) -> None:
        watched = Instructions(context)
        await watched.look()
        with context.lab.program_file.open("a") as file:
            file.write("\nTry optimisers only.\n")
        await watched.look()
        with (context.lab.roles / "worker.md").open("a") as file:
            file.write("\nBe brief.\n")
        set_key(context.lab.root, "budget_seconds", "7")
        for _ in range(2):
            await watched.look()
        assert await told(context) == [
            "program.md has changed: agents read it with their next job",
            "autolab.toml has changed: the lab goes by it from its next start on",
            "roles/worker.md has changed: its agents go by it from the next start of the lab on",
        ]
        with context.lab.settings_file.open("a") as file:
            file.write("\noops [\n")
        await watched.look()
        assert "autolab.toml has changed: " in (await told(context))[-1] and "oops" not in (await told(context))[0]
        assert "Correct that line" in (await told(context))[-1]

    in_lab(bare, play)


def test_what_the_command_set_has_written_is_no_news(bare: Path) -> None:
    async def play(context: Context) -> None:
        watched = Instructions(context)
        await watched.look()
        await set_setting(context, {"key": "team.wave", "value": "6"}, "ada@box")
        context.lab.program_file.touch()
        await watched.look()
        assert await told(context) == []

    in_lab(bare, play)
