"""What becomes of a proposal's paper: its true title and link stand in the experiment, and the proposer is told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.team.toolbox import Toolbox
from roles.playing import Playing
from roles.tools import Tool

IDEA = {
    "title": "Squared ReLU in the MLP",
    "hypothesis": "Squared ReLU instead of GELU lowers val_bpb by about 0.05.",
    "source": "arXiv:2109.08668",
    "variable": "activation",
}


def test_an_experiment_shows_title_and_link_of_the_paper_that_its_proposal_names(lab: Path) -> None:
    async def play() -> None:
        async with opened(Lab(lab)) as context:
            await context.store.keep_papers([("2109.08668", "Primer: Efficient Transformers", "An abstract.", "")])
            tools = Toolbox(context, "researcher", Playing("a model")).researching()
            told = await call(tools, "propose", **IDEA)
            assert 'is proposed. Its source, arXiv:2109.08668, is called "Primer: Efficient Transformers".' in told
            made = (await context.store.rows("SELECT source FROM experiments ORDER BY id DESC LIMIT 1"))[0]
            assert made["source"] == (
                "Primer: Efficient Transformers (arXiv:2109.08668) https://arxiv.org/abs/2109.08668"
            )
            other = {**IDEA, "title": "Another idea", "source": "arXiv:2301.00001", "variable": "depth"}
            told = await call(tools, "propose", **other)
            assert "Its source is not checked. Papers cannot be looked up now: HF_HUB_OFFLINE is set." in told
            made = (await context.store.rows("SELECT source FROM experiments ORDER BY id DESC LIMIT 1"))[0]
            assert made["source"] == "arXiv:2301.00001 https://arxiv.org/abs/2301.00001 (title not checked)"

    asyncio.run(play())


def test_papers_are_the_researchers_alone(lab: Path) -> None:
    async def play() -> None:
        async with opened(Lab(lab)) as context:
            box = Toolbox(context, "anybody", Playing("a model"))
            papers = {"search_papers", "list_papers", "read_paper"}
            assert papers <= {tool.name for tool in box.researching()}
            for tools in (box.planning(), box.reviewing(), box.handing_over(), box.reporting()):
                assert not papers & {tool.name for tool in tools}

    asyncio.run(play())


async def call(tools: list[Tool], name: str, **arguments: Any) -> str:
    (tool,) = (tool for tool in tools if tool.name == name)
    return (await tool(arguments)).text


def test_what_a_proposal_expects_stands_in_its_hypothesis(bare: Path) -> None:
    async def play() -> None:
        async with opened(Lab(bare)) as context:
            tools = Toolbox(context, "researcher", Playing("a model")).researching()
            await call(tools, "propose", **{**IDEA, "source": "own reasoning", "expected": -0.05})
            made = (await context.store.rows("SELECT hypothesis FROM experiments ORDER BY id DESC LIMIT 1"))[0]
            assert made["hypothesis"] == f"{IDEA['hypothesis']} Expected: -0.05 val_bpb."

    asyncio.run(play())
