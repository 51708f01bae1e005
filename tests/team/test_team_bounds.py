"""What is each team's own beside others: its budget, its letters, its notes, its experiments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.engine.setting import set_setting
from orchestrator.lab import Lab
from orchestrator.measurement.fair_share import accounts_of
from orchestrator.measurement.judging import Judging
from orchestrator.store.agents import StoredCall
from orchestrator.store.records import Level
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal
from orchestrator.team import budget as budget_module
from orchestrator.team.belonging import belongs, notes_of, of_team
from orchestrator.team.budget import Budget
from orchestrator.team.crew import muster
from orchestrator.team.toolbox import Toolbox
from orchestrator.views import resting
from orchestrator.watching.alerts import alert_of
from roles.errors import ToolRefusal
from roles.playing import Playing
from tests.conftest import set_key


def in_lab(bare: Path, play: Callable[[Context, Context], Coroutine[Any, Any, None]], more: str = "") -> None:
    """Play with a lab of `specialists` and `solo`; both contexts."""
    set_key(bare, "teams", '["specialists", "solo"]')
    with (bare / "autolab.toml").open("a") as file:
        file.write(more)

    async def go() -> None:
        async with opened(Lab(bare)) as context:
            await Judging(context).follow_master()
            specialists, solo = context.settings.teams_at_work
            await play(context.of(specialists), context.of(solo))

    asyncio.run(go())


def test_a_team_whose_budget_is_spent_rests_and_the_others_go_on(bare: Path) -> None:
    async def play(specialists: Context, solo: Context) -> None:
        words = ("", "[]", 900, 200, 0, 0.5, 1.0, None, "stop", "finished", "[]", "solo")
        await solo.store.add_call(StoredCall("solo.agent", "solo", "a job", None, "m", "hash", *words))
        assert await Budget(specialists).spent() is None
        budget = Budget(solo)
        assert set(await asyncio.gather(*(budget.spent() for _ in range(4)))) == {"its 1000 tokens are spent"}
        rest = "the team solo rests: its 1000 tokens are spent; `autolab set` raises the budget"
        events = [event for event in await solo.store.events() if "rests" in event.reason]
        assert [event.reason for event in events] == [rest], "once, however many agents ask"
        assert (alert := alert_of(events[0])) is not None and alert.level is Level.WARN
        assert await resting(solo.store) == {"solo": "its 1000 tokens are spent"}
        await set_setting(solo, {"key": "teams.solo.budget_tokens", "value": "2000"}, "a person")
        assert await Budget(solo).spent() is None and await resting(solo.store) == {}
        assert (await solo.store.events())[-1].reason == "the team solo goes on"

    in_lab(bare, play, "\n[teams.solo]\nbudget_tokens = 1000\n")


def test_hours_are_counted_while_the_team_is_at_work_and_a_rest_is_told_anew_at_every_start(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(budget_module, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    async def play(specialists: Context, solo: Context) -> None:
        words = ("", "[]", 900, 200, 0, 0.5, 1.0, None, "stop", "finished", "[]", "solo")
        await solo.store.add_call(StoredCall("solo.agent", "solo", "a job", None, "m", "hash", *words))

        async def works(budget: Budget, hours: float) -> str | None:
            reason = await budget.spent()
            for _ in range(10):
                clock[0] += hours * 360
                reason = await budget.spent()
            return reason

        assert await works(Budget(solo), 6) is None
        clock[0] += 48 * 3600  # the lab is off for two days
        again = Budget(solo)
        assert await again.spent() is None
        assert await works(again, 1.9) is None
        assert await works(again, 0.3) == "its 8 hours at work are over"
        assert await works(again, 5) == "its 8 hours at work are over"
        assert await Budget(solo).spent() == "its 8 hours at work are over"
        events = [event for event in await solo.store.events() if "rests" in event.reason]
        assert len(events) == 2, "once in each daemon"
        await set_setting(solo, {"key": "teams.solo.budget_hours", "value": "9"}, "a person")
        after = Budget(solo)
        assert await works(after, 0.7) is None, "a rest takes nothing of it"
        assert await works(after, 0.4) == "its 9 hours at work are over"

    in_lab(bare, play, "\n[teams.solo]\nbudget_hours = 8\n")


def test_letters_to_a_team_reach_its_agents_alone_and_those_to_a_role_that_role_in_every_team(bare: Path) -> None:
    async def play(specialists: Context, solo: Context) -> None:
        store = solo.store
        names = [member.name for member in muster(solo)]
        assert names[0] == "specialists.researcher" and names[-1] == "solo.agent"
        await store.set_agents([(m.name, m.role.name, m.team.name, "m") for m in muster(solo)])
        for to in ("specialists", "worker", "solo.agent", "all"):
            await store.add_letter(to, f"to {to}", "a person")

        async def heard(role: str, agent: str) -> list[str]:
            return [letter.text for letter in await store.letters_for(role, agent)]

        assert await heard("worker", "specialists.worker-1") == ["to specialists", "to worker", "to all"]
        assert await heard("planner", "specialists.planner") == ["to specialists", "to all"]
        assert await heard("solo", "solo.agent") == ["to solo.agent", "to all"]

    in_lab(bare, play)


def test_an_experiment_is_its_teams_and_one_of_a_team_long_gone_goes_to_the_first(bare: Path) -> None:
    async def play(specialists: Context, solo: Context) -> None:
        store = solo.store
        made = {}
        for team in ("specialists", "solo", "offline", "person"):
            proposal = Proposal(f"idea of {team}", "h", "s")
            made[team] = await store.add_experiment(proposal, author="a", team=team, state=State.QUEUED)
        assert [one.team for one in await of_team(specialists, [State.QUEUED])] == ["specialists", "offline", "person"]
        assert [one.team for one in await of_team(solo, [State.QUEUED])] == ["solo"]
        assert not belongs(solo, made["person"])
        tools = {tool.name: tool for tool in Toolbox(specialists, "specialists.planner", Playing("m")).planning()}
        for name, words in (("drop", {"reason": "no use"}), ("queue", {"priority": 1, "reason": "no use"})):
            with pytest.raises(ToolRefusal, match="the team solo's, which competes with yours"):
                await tools[name]({"id": made["solo"].id, **words})
        await store.add_note("findings", "specialists.reviewer", "found", team="specialists")
        assert await store.notes("findings", team=notes_of(solo)) == []
        assert len(await store.notes("findings", team=notes_of(specialists))) == 1

    in_lab(bare, play)


def test_a_team_that_joins_a_lab_at_work_begins_level_with_the_lowest(bare: Path) -> None:
    async def play(specialists: Context, solo: Context) -> None:
        await solo.store.set_meta("slot_seconds_at_start:specialists", "7000")
        before = {one.team: one.seconds for one in await accounts_of(solo)}
        assert before == {"specialists": 7000, "solo": 14000}, "by its share of two"
        assert {one.team: one.seconds for one in await accounts_of(solo)} == before, "and keeps what it began with"

    in_lab(bare, play, "\n[teams.solo]\nshare = 2\n")
