"""The one place that reads the store: sees whether anything was committed, and reads again only what has changed."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from orchestrator.actor import who
from orchestrator.lab import DaemonIdentity, Lab, daemon_of
from orchestrator.store.agents import AgentRow
from orchestrator.store.reader import Reader
from orchestrator.store.records import Command, SlotRow
from tui.believing import Believing
from tui.changes import Changing
from tui.chronicle import MOST_ROWS, WINDOW, Story, Wish, read_story

__all__ = ["MOST_ROWS", "WINDOW", "Snapshot", "Story", "Watch", "Wish"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The lab as it is now."""

    daemon: DaemonIdentity | None
    agents: list[AgentRow]
    slots: list[SlotRow]
    heard_at: str | None  # when the daemon wrote last
    money: float  # that models have cost, in the currency of the prices
    orders: list[Command]  # that nobody has answered yet, oldest first
    story: Story = field(repr=False)

    @property
    def ending(self) -> Command | None:
        """The order by which the lab is coming to its end."""
        stops = [order for order in self.orders if order.verb == "stop"] if self.daemon is not None else []
        return next((order for order in stops if order.arguments.get("now")), stops[0] if stops else None)

    @property
    def tokens(self) -> int:
        return sum(agent.tokens_in + agent.tokens_out for agent in self.agents)


class Watch:
    """Snapshots of a lab, taken only when something has changed."""

    def __init__(self, lab: Lab, reader: Reader) -> None:
        self._lab = lab
        self.reader = reader
        self.wish = Wish()
        self._seen: tuple[object, ...] | None = None
        self._told: tuple[object, ...] | None = None
        self._story: Story | None = None
        self._believing = Believing(reader.path)
        self._changing = Changing(who())
        self._money, self._last_call = 0.0, 0

    def wants(self, **changes: Any) -> None:
        if changes.keys() & {"results", "sort", "descending"}:
            changes.setdefault("first", 0)
        self.wish = replace(self.wish, **changes)

    async def look(self) -> Snapshot | None:
        """A new snapshot; None while nothing has changed. Raises LabError."""
        if self._believing.news() and self._story is not None:
            baseline = await self._believing.baseline(self.reader)
            self._story = replace(self._story, baseline=baseline)
            self._seen = None
        daemon = daemon_of(self._lab)
        now = (await self.reader.data_version(), self.reader.own_changes, daemon, self.wish)
        if now == self._seen:
            return None
        wish = self.wish
        newest = await self.reader.row("SELECT max(seq) AS seq FROM events")
        told = (newest["seq"] if newest else None, wish)
        if self._story is None or told != self._told:
            self._story = await read_story(self.reader, self._believing, self._changing, wish)
            self._told = told
        agents, slots = await self.reader.agents(), await self.reader.slots()
        await self._count_money()
        self._seen = now
        marks = [agent.updated_at for agent in agents] + [slot.updated_at for slot in slots]
        if self._story.last_event is not None:
            marks.append(self._story.last_event.at)
        orders = await self.reader.waiting_commands()
        return Snapshot(daemon, agents, slots, max(marks, default=None), self._money, orders, self._story)

    async def _count_money(self) -> None:
        """Calls are only ever added: the new ones are counted."""
        row = await self.reader.row(
            "SELECT max(id) AS newest, total(money) AS money FROM calls WHERE id > ?", (self._last_call,)
        )
        if row is not None and row["newest"] is not None:
            self._money, self._last_call = self._money + row["money"], int(row["newest"])

    async def end(self) -> None:
        await self._believing.end()


def heartbeat(lab: Lab) -> str | None:
    """When the daemon gave its last sign of life (orchestrator.engine.pulse); None when it never did."""
    try:
        beat = os.stat(lab.identity_file).st_mtime
    except OSError:
        return None
    return datetime.fromtimestamp(beat, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
