"""Pane 1, the slots: what each GPU or core runs, how far it is, and what the machine reads."""

from __future__ import annotations

from rich.text import Text
from textual.events import Resize
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui.present import slot_text
from tui.watch import Snapshot


class Slots(OptionList):
    """One line a slot."""

    def __init__(self) -> None:
        super().__init__(id="slots", compact=True)
        self.border_title = "1 slots"
        self._snapshot: Snapshot | None = None
        self._written: list[str] = []

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        width = max(30, self.size.width - 4)
        lines = []
        for slot in snapshot.slots:
            run, experiment = snapshot.running.get(slot.run_id or -1, (None, None))
            lines.append(slot_text(slot, experiment, run, width))
        if not lines:
            lines = ["no slots yet: the daemon lists them when it starts"]
        if len(lines) != len(self._written):
            self.clear_options()
            self.add_options([Option(Text(line, no_wrap=True)) for line in lines])
            self.highlighted = 0
        else:
            for index, (old, new) in enumerate(zip(self._written, lines, strict=True)):
                if old != new:
                    self.replace_option_prompt_at_index(index, Text(new, no_wrap=True))
        self._written = lines
        busy = sum(slot.run_id is not None for slot in snapshot.slots)
        self.border_title = f"1 slots  {busy} of {len(snapshot.slots)} busy"

    def on_resize(self, _: Resize) -> None:
        if self._snapshot is not None:
            self.show(self._snapshot)

    @property
    def run_id(self) -> int | None:
        """The run on the selected slot."""
        if self._snapshot is None or self.highlighted is None or self.highlighted >= len(self._snapshot.slots):
            return None
        return self._snapshot.slots[self.highlighted].run_id

    @property
    def experiment_id(self) -> int | None:
        if self._snapshot is None or self.run_id not in self._snapshot.running:
            return None
        return self._snapshot.running[self.run_id][1].id
