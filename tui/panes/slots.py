"""Pane 1, the slots: what each GPU or core runs, how far it is, and what the machine reads."""

from __future__ import annotations

from tui.machines import SLOT_COLUMNS, Machine, busy, slot_cells, unread
from tui.panes.rows import Rows
from tui.watch import Snapshot


class Slots(Rows):
    """One line a slot."""

    def __init__(self) -> None:
        super().__init__(SLOT_COLUMNS, id="slots", empty="the daemon lists them when it starts", steady=True)
        self.heading = "1 slots"
        self._snapshot: Snapshot | None = None
        self._machines: dict[str, Machine] = {}

    def take(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        rows = []
        for slot in snapshot.slots:
            machine = self._machines.setdefault(slot.name, Machine())
            slot = slot if snapshot.daemon is not None else unread(slot)
            machine.take(slot)
            run, experiment = snapshot.story.running.get(slot.run_id or -1, (None, None))
            rows.append((slot.name, slot_cells(slot, machine, run, experiment)))
        self.show(rows)
        count = len(snapshot.slots)
        self.heading = f"1 slots {busy(snapshot.slots)}/{count} busy" if count else "1 slots"

    @property
    def run_id(self) -> int | None:
        """The run on the selected slot."""
        slots = self._snapshot.slots if self._snapshot is not None else []
        return next((slot.run_id for slot in slots if slot.name == self.selected_key), None)

    @property
    def experiment_id(self) -> int | None:
        if self._snapshot is None or self.run_id not in self._snapshot.story.running:
            return None
        return self._snapshot.story.running[self.run_id][1].id
