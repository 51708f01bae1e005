"""A plateau: what counts as one, whom it asks for new directions, and what ends it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from orchestrator.context import Context
from orchestrator.patches.submitting import PERSON_PRIORITY
from orchestrator.store.records import REVERSAL
from orchestrator.store.states import State
from orchestrator.team import briefs
from orchestrator.watching.anomalies import EXPLORING
from roles.chat import Message
from roles.offline.turns import next_turn
from tests.conftest import set_key
from tests.team.team_lab import waiting
from tests.watching.outcomes import ended, in_lab, told


def test_what_only_measures_a_win_is_no_outcome_of_a_plateau(bare: Path) -> None:
    async def play(context: Context) -> None:
        for number in range(context.settings.team.plateau):
            source = f"{REVERSAL}1" if number == 0 else "a test"
            await ended(context, State.DISCARDED, "no better", 3.0 + number / 1000, source=source)
        assert await told(context) == []
        await ended(context, State.DISCARDED, "no better", 3.5)
        (sentence,) = await told(context)
        assert "no win in the last" in sentence

    in_lab(bare, play)


def test_a_plateau_raises_the_share_of_new_directions_until_the_next_win(bare: Path) -> None:
    async def play(context: Context) -> None:
        plateau = context.settings.team.plateau
        for number in range(plateau):
            await ended(context, State.DISCARDED, "no better", 3.0 + number / 1000)
        (sentence,) = await told(context)
        assert f"no win in the last {plateau} outcomes" in sentence and "60%" in sentence
        assert float(await context.store.meta(EXPLORING)) == 0.6
        assert await told(context) == []
        row = await context.store.row("SELECT max(id) AS id FROM experiments")
        assert row is not None
        await asyncio.sleep(0.01)
        await context.store.move(row["id"], State.PROMOTED, "by hand")
        await context.store.adopt_master("f" * 40, row["id"], "a win")
        assert await told(context) == [] and await context.store.meta(EXPLORING) == ""

    in_lab(bare, play)


def test_a_remark_on_an_old_outcome_is_no_new_one(bare: Path) -> None:
    async def play(context: Context) -> None:
        plateau = context.settings.team.plateau
        old = [await ended(context, State.DISCARDED, "no better", 3.0 + number / 1000) for number in range(3)]
        winner = await ended(context, State.DISCARDED, "no better", 2.5)
        await asyncio.sleep(0.01)
        await context.store.move(winner, State.PROMOTED, "a win")
        await context.store.adopt_master("f" * 40, winner, "a win")
        await asyncio.sleep(0.01)
        for number in old:
            await context.store.annotate(number, "absorbs another one", actor="planner", priority=3)
        for number in range(plateau - 1):
            await ended(context, State.DISCARDED, "no better", 3.1 + number / 1000)
        assert await told(context) == []
        await ended(context, State.CRASHED, "a crash", outcome="crash")
        (sentence,) = await told(context)
        assert f"no win in the last {plateau} outcomes: none was merged for its gain" in sentence

    in_lab(bare, play)


@pytest.mark.parametrize(("team", "asked"), [("offline", "the planner"), ("solo", "the agent that does everything")])
def test_a_plateau_asks_whoever_chooses_and_stands_in_their_brief(bare: Path, team: str, asked: str) -> None:
    set_key(bare, "teams", f'["{team}"]')

    async def play(lab: Context) -> None:
        context = lab.of(lab.settings.teams_at_work[0])
        for number in range(context.team.plateau):
            await ended(context, State.DISCARDED, "no better", 3.0 + number / 1000)
        (sentence,) = await told(context)
        assert f"{asked} is asked to give 60% of the runs to new directions" in sentence
        if team == "solo":
            brief = await briefs.solo_brief(context, "solo", 3, None, "")
        else:
            brief = await briefs.planning_brief(context, "planner")
        assert "give about 60% of the runs to new directions" in brief
        assert "of the last 20 experiments" in brief

    in_lab(bare, play)


def test_the_offline_planner_puts_new_directions_first_in_a_plateau(bare: Path) -> None:
    async def play(context: Context) -> None:
        for number in range(context.team.plateau):
            await ended(context, State.DISCARDED, "no better", 3.0 + number / 1000, variable="LEARNING_RATE")
        new = await waiting(context, "Something else", State.PROPOSED, variable="activation")
        more = await waiting(context, "Of the same", State.PROPOSED, variable="LEARNING_RATE")

        async def orders() -> dict[int, int]:
            brief = await briefs.planning_brief(context, "planner")
            calls = next_turn([Message("user", brief)], {"queue", "drop", "finish"}, 0).calls
            asked = [json.loads(call.arguments) for call in calls if call.name == "queue"]
            return {int(one["id"]): int(one["priority"]) for one in asked}

        assert await orders() == {new.id: 0, more.id: 0}
        await told(context)
        found = await orders()
        assert found[more.id] == 0 < found[new.id] < PERSON_PRIORITY

    in_lab(bare, play)


def test_a_simplification_and_a_persons_merge_end_no_plateau(bare: Path) -> None:
    async def play(context: Context) -> None:
        for number in range(context.settings.team.plateau + 2):
            await ended(context, State.DISCARDED, "no better", 3.0 + number / 1000)
        row = await context.store.row("SELECT max(id) AS id FROM experiments")
        assert row is not None
        shorter, own = int(row["id"]), int(row["id"]) - 1
        await asyncio.sleep(0.01)
        await context.store.move(shorter, State.PROMOTED, "shorter", promoted_as="simplification")
        await context.store.adopt_master("e" * 40, shorter, "a simplification")
        await context.store.annotate(own, "a person wants it", actor="me", decision="merge")
        await context.store.move(own, State.PROMOTED, "a person's own decision")
        await context.store.adopt_master("d" * 40, own, "a person's merge")
        (sentence,) = await told(context)
        assert "no win in the last 20 outcomes" in sentence
        assert float(await context.store.meta(EXPLORING)) == 0.6

    in_lab(bare, play)
