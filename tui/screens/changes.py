"""What changed since the person looked last, one line each, the newest first, and below it what was before; `enter`
opens the experiment."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult

from orchestrator.actor import who
from orchestrator.columns import Column
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.review.happened import MOST, events_of_interest
from orchestrator.store.anomalies import over
from orchestrator.store.reader import Reader
from orchestrator.store.records import Command, Event
from tui.panes.line import OneLine
from tui.panes.rows import Rows
from tui.present import Cell, age, became, plain, refused
from tui.screens.dialogs import Told
from tui.screens.room import RoomScreen
from tui.tones import Line, Said, Tone, fit

CHANGE_COLUMNS = (
    Column("UTC", 11),
    Column("what", 15),
    Column("id", 5, right=True),
    Column("why", 16, share=6),
    Column("by", 10, share=1, most=28, rank=1, above=74),
)


def change_cells(event: Event, over: bool = False) -> tuple[Cell, ...]:
    """An event as a row: when, what, of which experiment, why, and who asked or did it; `over`: an anomaly that
    passed."""
    what, tone = event.kind, Tone.DIM
    if event.kind == "state":
        what, tone = became(event).text, became(event).tone
    elif refused(event):
        what, tone = "refused", Tone.WARN
    elif event.kind == "master":
        what, tone = "◆ master", Tone.GOOD
    elif event.kind == "anomaly" and over:
        what = "over by now"
    elif event.kind == "anomaly":
        what, tone = "! look at this", Tone.WARN
    return (
        Said(f"{event.at[5:10]} {event.at[11:16]}", Tone.DIM),
        Said(what, tone),
        Said("" if event.experiment_id is None else str(event.experiment_id), Tone.DIM),
        Said(plain(event.why)),
        Said(plain(event.actor), Tone.DIM),
    )


def order_cells(order: Command) -> tuple[Cell, ...]:
    """An order that nobody has answered yet."""
    number = order.arguments.get("id")
    return (
        Said(f"{order.at[5:10]} {order.at[11:16]}", Tone.DIM),
        Said("order waits", Tone.WARN),
        Said("" if number is None else plain(str(number)), Tone.DIM),
        Said(plain(order.called)),
        Said(plain(order.actor), Tone.DIM),
    )


RULE = "rule"
"""The key of the row between what is new and what was before."""

RULE_CELLS: tuple[Cell, ...] = (Said(""), Said("before that", Tone.LIVE), Said(""), Said(""), Said(""))


class ChangesScreen(RoomScreen):
    """Read once, when it opens."""

    FOOTER: ClassVar[tuple[str, ...]] = ("back", "open", "diff", "log", "review", "command_line", "help", "leave")

    def __init__(self, lab: Lab, reader: Reader, since: str) -> None:
        super().__init__()
        self._lab = lab
        self._reader = reader
        self._since = since
        self._events: dict[str, Event] = {}

    def compose(self) -> ComposeResult:
        yield OneLine(self._heading, classes="heading")
        yield Rows(CHANGE_COLUMNS, id="changes", empty="nothing of note")
        yield self.footer()

    async def on_mount(self) -> None:
        table = self.query_one("#changes", Rows)
        table.focus()
        try:
            events, passed = await events_of_interest(self._reader, ""), await over(self._reader)
            orders = await self._reader.waiting_commands()
        except LabError as error:
            table.empty = str(error)
            return
        self._events = {str(event.seq): event for event in events}
        rows = [(key, change_cells(event, event.seq in passed)) for key, event in self._events.items()]
        newer = sum(event.at > self._since for event in events)
        if self._since and newer < len(rows):
            rows.insert(newer, (RULE, RULE_CELLS))
        table.show([*((f"order {order.id}", order_cells(order)) for order in reversed(orders)), *rows])
        self.query_one(".heading", OneLine).tell()

    def _heading(self, width: int) -> Line:
        count = f"{self._new}{'+' if self._new == MOST else ''}"
        title = "what changed"
        own = sum(event.at > self._since for event in self._events.values()) - self._new
        yours = f", and {own} of your own" if own else ""
        since = f" since you looked {age(self._since)} ago{yours}; :morning sums it up" if self._since else ""
        told = f"  {count}{since}"
        return [Said(title, Tone.STRONG), Said(fit(told, max(0, width - len(title))).rstrip(), Tone.DIM)]

    @property
    def _new(self) -> int:
        """How many there are since the person looked; what they ordered themselves is no news."""
        return sum(event.at > self._since and event.actor != who() for event in self._events.values())

    @property
    def _event(self) -> Event | None:
        """The event under the cursor."""
        return self._events.get(self.query_one("#changes", Rows).selected_key or "")

    @property
    def experiment_id(self) -> int | None:
        return None if self._event is None else self._event.experiment_id

    def on_rows_opened(self, _: Rows.Opened) -> None:
        self._open()

    def _open(self) -> None:
        from tui.screens.experiment import ExperimentScreen  # brings git and the lexer

        event = self._event
        if self.experiment_id is not None:
            self.app.push_screen(ExperimentScreen(self._lab, self._reader, self.experiment_id))
        elif event is not None:  # of the whole lab
            words = f"{event.at[:19].replace('T', ' ')} UTC, {plain(event.actor)}"
            self.app.push_screen(Told(f"{words}\n\n{plain(event.why)}"))

    def view(self, name: str, key: str) -> bool:
        match name:
            case "back" | "leave":
                self.dismiss()
            case "open":
                self._open()
            case "down" | "up" | "first" | "last":
                self.query_one("#changes", Rows).move(name)
            case _:
                return False
        return True
