"""GPUs that somebody else uses: no run starts there, and the room, the events and the anomalies say why.

A run beside other work has less of the GPU within its wall seconds, so its score is worse than it should be; it may run
out of memory; and it disturbs whoever was there first.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from orchestrator.context import Context
from orchestrator.runs.executor import Slot
from orchestrator.store.records import IN_USE

LOOK_SECONDS = 2.0


class Occupancy:
    """What is known of the slots on which no run of the lab is."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._why: dict[str, str] = {}
        self._looked: dict[str, float] = {}

    async def free(self, slots: Sequence[Slot]) -> list[Slot]:
        """Of these, the slots that nobody else uses; all of them where GPUs are shared."""
        return [slot for slot in slots if not await self._in_use(slot)]

    async def _in_use(self, slot: Slot) -> str:
        now, before = time.monotonic(), self._why.get(slot.name)
        if before is not None and now - self._looked[slot.name] < LOOK_SECONDS:
            return before
        shared = self._context.settings.lab.share_gpus
        why = "" if shared else await self._context.executor.occupied(slot)
        self._why[slot.name], self._looked[slot.name] = why, now
        if why != before:  # or nothing is known yet, and the store may hold what an earlier daemon saw
            store = self._context.store
            await store.set_slot(slot.name, phase=IN_USE if why else "idle", verdict=why)
            if bool(why) != bool(before):
                told = f"is in use by others ({why}): no run starts there" if why else "is free of others' work again"
                await store.event("lab", "autolab", f"slot {slot.name} {told}")
        return why
