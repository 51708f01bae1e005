"""A job that ends by `finish` ends when it is done; a model that stops early is told what is left."""

from __future__ import annotations

import pytest

from orchestrator.team.finishing import decisions_missing, finish_when, proposals_missing
from roles.errors import ToolRefusal


async def test_a_planner_may_not_finish_before_every_proposal_of_its_brief_is_decided() -> None:
    undecided = [4, 7]

    async def missing() -> tuple[str, bool]:
        return decisions_missing(undecided)

    finish = finish_when(missing)
    for _ in range(3):
        with pytest.raises(ToolRefusal, match="neither queued nor dropped: 4, 7"):
            await finish({})
    undecided.clear()
    assert (await finish({})).finished


async def test_a_researcher_without_a_proposal_may_not_finish_at_all() -> None:
    async def missing() -> tuple[str, bool]:
        return proposals_missing(4, 0)

    finish = finish_when(missing)
    for _ in range(3):
        with pytest.raises(ToolRefusal, match="each of the 4 wanted ideas"):
            await finish({})


async def test_a_researcher_with_too_few_proposals_is_asked_once_and_then_let_go() -> None:
    async def missing() -> tuple[str, bool]:
        return proposals_missing(4, 1)

    finish = finish_when(missing)
    with pytest.raises(ToolRefusal, match="1 of 4 wanted proposals"):
        await finish({})
    assert (await finish({})).finished
