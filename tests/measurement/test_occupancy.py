"""A slot that others use is left alone until they have gone, and whoever looks is told why."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.measurement import occupancy
from orchestrator.measurement.measuring import Measuring
from orchestrator.runs import local_executor
from orchestrator.runs.executor import Reading, Slot
from orchestrator.runs.local import LocalExecutor
from orchestrator.runs.slots import used_by_others
from orchestrator.store.records import IN_USE, SlotRow
from orchestrator.watching import anomalies
from orchestrator.watching.anomalies import Anomalies
from tests.conftest import set_key

GIB = 2**30


@pytest.mark.parametrize(
    ("used", "total", "told"),
    [
        (None, None, ""),
        (0, 80 * GIB, ""),
        (2 * GIB, 24 * GIB, ""),  # a desktop
        (31 * GIB, 80 * GIB, "31 of 80 GiB of its memory are taken"),
        (3 * GIB, 0, ""),
    ],
)
def test_a_gpu_with_much_of_its_memory_taken_is_in_use(used: int | None, total: int | None, told: str) -> None:
    assert used_by_others(Reading(memory_used=used, memory_total=total)) == told


async def test_a_core_is_never_in_use() -> None:
    executor = local_executor("cpu", 1)
    assert [await executor.occupied(slot) for slot in executor.slots()] == [""]


class Shared(LocalExecutor):
    """The slots of this machine, with somebody else on them."""

    others = "31 of 80 GiB of its memory are taken"

    async def occupied(self, slot: Slot) -> str:
        return self.others


def test_no_run_starts_on_a_slot_that_others_use_and_it_does_when_they_have_gone(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(occupancy, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(anomalies, "IDLE_SECONDS", -1.0)

    async def slot_of(context: Context) -> SlotRow:
        [slot] = await context.store.slots()
        return slot

    async def events(context: Context) -> list[str]:
        return [event.reason for event in await context.store.events(limit=20) if event.reason.startswith("slot")]

    async def play() -> None:
        async with opened(Lab(lab)) as opened_context:
            shared = Shared(opened_context.executor.slots())
            context = replace(opened_context, executor=shared)
            await context.store.set_slots([(slot.name, slot.device) for slot in shared.slots()])
            measuring = Measuring(context)
            for _ in range(2):
                assert await measuring.launch() == 0
            slot = await slot_of(context)
            assert (slot.phase, slot.verdict, slot.run_id) == (IN_USE, shared.others, None)
            assert await events(context) == [
                f"slot {slot.name} is in use by others ({shared.others}): no run starts there"
            ]
            await Anomalies(context).look()
            found = [event.reason for event in await context.store.newest_events("anomaly", 5)]
            assert any("for others to leave its GPU" in one and "`share_gpus = true`" in one for one in found), found

            shared.others = ""
            assert await Measuring(context).launch() == 1, "another daemon finds it free"
            assert (await slot_of(context)).phase != IN_USE

    asyncio.run(play())


def test_with_share_gpus_a_run_starts_all_the_same(lab: Path) -> None:
    set_key(lab, "share_gpus", "true")

    async def play() -> None:
        async with opened(Lab(lab)) as opened_context:
            context = replace(opened_context, executor=Shared(opened_context.executor.slots()))
            assert await Measuring(context).launch() == 1

    asyncio.run(play())
