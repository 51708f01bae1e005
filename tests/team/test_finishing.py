"""A job that ends by `finish` ends when it is done; a model that stops early is told what is left."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.team.finishing import Missing, counting, decisions_missing, finish_when, proposals_missing
from roles.errors import ToolRefusal
from roles.tools import Answer, bind


async def test_a_planner_may_not_finish_before_every_proposal_of_its_brief_is_decided() -> None:
    undecided = [4, 7]

    async def missing() -> Missing:
        return decisions_missing(undecided)

    finish = finish_when(missing)
    for _ in range(3):
        with pytest.raises(ToolRefusal, match="neither queued nor dropped: 4, 7"):
            await finish({})
    undecided.clear()
    assert (await finish({})).finished


async def test_a_researcher_without_a_proposal_may_not_finish_at_all() -> None:
    async def missing() -> Missing:
        return proposals_missing(4, 0)

    finish = finish_when(missing)
    for _ in range(3):
        with pytest.raises(ToolRefusal, match="each of the 4 wanted ideas"):
            await finish({})


async def test_a_researcher_with_too_few_proposals_is_asked_once_and_then_let_go() -> None:
    async def missing() -> Missing:
        return proposals_missing(4, 1)

    finish = finish_when(missing)
    with pytest.raises(ToolRefusal, match="1 of 4 wanted proposals"):
        await finish({})
    assert (await finish({})).finished


async def test_every_answer_and_refusal_of_a_decision_says_what_is_left_and_then_that_the_job_may_end() -> None:
    undecided = [6, 7]

    async def missing() -> Missing:
        return decisions_missing(undecided)

    async def drop(arguments: dict[str, Any]) -> Answer:
        if arguments["id"] not in undecided:
            raise ToolRefusal(f"Experiment {arguments['id']} is dropped.")
        undecided.remove(arguments["id"])
        return Answer("It is dropped.")

    tool = counting(bind("drop", drop), missing)
    six = {"id": 6, "reason": "it lost before"}
    assert "neither queued nor dropped: 7" in (await tool(six)).text
    with pytest.raises(ToolRefusal, match="Left of the job: neither queued nor dropped: 7") as refused:
        await tool(six)
    assert refused.value.then == {"queue": {"id": [7]}, "drop": {"id": [7]}}
    assert "`finish` ends the job" in (await tool({**six, "id": 7})).text
    with pytest.raises(ToolRefusal) as refused:
        await tool(six)
    assert list(refused.value.then) == ["finish"]
