"""One agent is paused: the reply at hand ends, nothing follows until it is resumed, and a restart keeps it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.store.writer import Writer
from orchestrator.team.journal import AgentJournal
from orchestrator.team.pausing import may_go_on
from roles.agent import CallRecord, Finished, converse
from roles.chat import Message, Reply, ToolSpec
from roles.record import Outcome, Trouble
from tests.roles.test_agent import SUBMIT, Desk, ScriptedModel, calling

WORKER = ("worker-1", "worker", "offline", "scripted")


class HeldModel(ScriptedModel):
    """Waits in the middle of its first reply until it is let go."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__(*replies)
        self.asked, self.let_go = asyncio.Event(), asyncio.Event()

    async def reply(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        on_text: Callable[[str], None],
        must_call: Sequence[ToolSpec] = (),
    ) -> Reply:
        self.asked.set()
        await self.let_go.wait()
        return await super().reply(messages, tools, on_text, must_call)


async def state_of(store: Writer) -> str:
    [agent] = await store.agents()
    return agent.state


async def until(store: Writer, state: str) -> None:
    async with asyncio.timeout(20):
        while await state_of(store) != state:
            await asyncio.sleep(0.02)


async def test_a_paused_agent_ends_its_reply_and_takes_no_further_step(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        await store.set_agents([WORKER])
        desk = Desk()
        model = HeldModel(calling(("read_file", {"path": "train.py"})), calling(SUBMIT))
        journal = AgentJournal(tmp_path / "worker-1.log", store, "worker-1", "worker")
        journal.begin("patch 1")
        job = asyncio.create_task(
            converse(model, "role", "brief", desk.tools(), journal, turn=lambda: may_go_on(store, "worker-1"))
        )
        await model.asked.wait()
        await store.pause_agent("worker-1", "ada@box", True)
        model.let_go.set()
        await until(store, "paused")
        assert desk.called == ["read_file"] and len(model.told) == 1 and not job.done()
        [agent] = await store.agents()
        assert (agent.paused_by, agent.job) == ("ada@box", "patch 1")
        await store.pause_agent("worker-1", "bob@box", False)
        assert isinstance(await asyncio.wait_for(job, 20), Finished)
        await journal.settle()
        assert await state_of(store) != "paused"
        events = await store.events()
        assert [(e.actor, e.reason) for e in events] == [
            ("ada@box", "agent worker-1 is paused"),
            ("bob@box", "agent worker-1 is resumed"),
        ]


async def test_a_restart_keeps_an_agent_paused(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        await store.set_agents([WORKER])
        await store.pause_agent("worker-1", "ada@box", True)
    async with Writer(tmp_path / "runs.db") as store:
        await store.set_agents([WORKER])
        waiting = asyncio.create_task(may_go_on(store, "worker-1"))
        await until(store, "paused")
        assert not waiting.done()
        await store.pause_agent("worker-1", "ada@box", False)
        await asyncio.wait_for(waiting, 20)
        assert await state_of(store) == "idle"


async def test_how_fast_a_reply_came_is_told_and_an_instant_one_has_no_rate(tmp_path: Path) -> None:
    async with Writer(tmp_path / "runs.db") as store:
        await store.set_agents([WORKER])
        journal = AgentJournal(tmp_path / "worker-1.log", store, "worker-1", "worker")
        journal.begin("patch 1")
        journal.thinking()
        journal.usage(10, 500)
        await journal.settle()
        [agent] = await store.agents()
        assert agent.rate is None
        journal.thinking()
        journal.text("a")
        await asyncio.sleep(0.2)
        journal.usage(10, 50)
        await journal.settle()
        [agent] = await store.agents()
        assert agent.rate is not None and 10 < agent.rate <= 250


async def test_a_call_that_the_store_does_not_take_is_told_once(tmp_path: Path) -> None:
    call = CallRecord("m", "hash", "yes", (), 120, 34, False, 0.0, 1.0, 0.5, "stop", Outcome.WENT_ON, ())
    async with Writer(tmp_path / "runs.db") as store:
        await store.set_agents([WORKER])
        await store.connection.execute("ALTER TABLE calls RENAME TO gone")
        journal = AgentJournal(tmp_path / "worker-1.log", store, "worker-1", "worker")
        journal.begin("patch 1")
        journal.record(call)
        journal.record(call)
        await journal.settle()
        await journal.settle()
        (event,) = await store.events()
        assert "2 calls of the model are missing in the account" in event.reason and "120 tokens in" in event.reason
        assert (tmp_path / "worker-1.log").read_text().count("missing in the account") == 2


async def test_a_server_that_seems_to_cut_prompts_is_told_once_a_model(tmp_path: Path) -> None:
    cut = (Trouble.PROMPT_CUT,)
    call = CallRecord("m", "hash", "yes", (), 120, 34, False, 0.0, 1.0, 0.5, "stop", Outcome.WENT_ON, cut)
    async with Writer(tmp_path / "runs.db") as store:
        await store.set_agents([WORKER])
        journal = AgentJournal(tmp_path / "worker-1.log", store, "worker-1", "worker")
        for model in ("m", "m", "other"):
            journal.record(replace(call, model=model))
            await journal.settle()
        events = [event for event in await store.events() if event.kind == "anomaly"]
        assert ["m" in event.reason and "counted 120 tokens" in event.reason for event in events] == [True, True]
