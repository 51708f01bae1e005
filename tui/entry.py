"""A line to type into."""

from __future__ import annotations

from textual import events
from textual.binding import NoBinding
from textual.widgets import Input


class Entry(Input):
    """Its keys count in the order in which they came. Over a slow line many arrive at once; Textual sends those that
    mean something round by every widget above, where they come behind the letters that were typed after them."""

    async def _on_key(self, event: events.Key) -> None:
        if event.is_printable:
            return  # Input takes it
        try:
            bindings = self._bindings.get_bindings_for_key(event.key)
        except NoBinding:
            return
        event.stop()
        event.prevent_default()
        await self.run_action(bindings[0].action)
