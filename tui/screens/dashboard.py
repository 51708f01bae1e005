"""The dashboard: everything at a glance. Small terminals show the strip, the slots and one more pane."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.events import Resize
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import DataTable, Log, OptionList, Static

from orchestrator.lab import Lab
from tui.keys import footer
from tui.panes.agents import Agents
from tui.panes.health import Health
from tui.panes.plot import Plot
from tui.panes.queue import Queue
from tui.panes.results import Results
from tui.panes.slots import Slots
from tui.watch import Snapshot

PANES = ("slots", "agents", "results", "queue", "plot")
SMALL_COLUMNS, SMALL_ROWS = 110, 30
# The most needed first: a small terminal shows as many as fit.
FOOTER = (
    *("help", "leave", "next_pane", "pause_run", "stop_run", "kill", "requeue", "log", "diff", "filter", "full_screen"),
    *("message", "pause_queue"),
)


class Dashboard(Screen[None]):
    """Holds the panes and the one that the person is in."""

    AUTO_FOCUS = None

    def __init__(self, lab: Lab) -> None:
        super().__init__()
        self._lab = lab
        self.pane = "results"
        self._zoomed = False
        self.snapshot: Snapshot | None = None

    def compose(self) -> ComposeResult:
        yield Health()
        with Vertical(id="panes"):
            yield Slots()
            with Container(id="grid"):
                yield Agents(self._lab)
                yield Results()
                yield Plot()
                yield Queue()
        yield Static("", classes="footer", id="footer")

    def on_mount(self) -> None:
        self.go_to("results")
        self.set_interval(0.3, self._tail)
        self.set_interval(1.0, self._draw_plot)

    # -- what is shown

    def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.query_one(Health).show(snapshot)
        self.query_one(Slots).show(snapshot)
        self.query_one(Agents).show(snapshot)
        self.query_one(Queue).display_rows(snapshot)
        self.query_one(Results).display_rows(snapshot)
        self._draw_plot()

    def _tail(self) -> None:
        if self.query_one(Agents).display:
            self.query_one(Agents).tail()

    def _draw_plot(self) -> None:
        """The best score; before there is one, or while the person is in the slots, the live loss."""
        plot = self.query_one(Plot)
        if self.snapshot is None or not plot.display:
            return
        run_id = self.query_one(Slots).run_id
        if run_id is None and not self.snapshot.points:
            run_id = next(iter(self.snapshot.running), None)
        if run_id in self.snapshot.running and (self.pane == "slots" or not self.snapshot.points):
            run, experiment = self.snapshot.running[run_id]
            title = f"run {run.id}: {experiment.id} {experiment.title}, seed {run.seed}"
            plot.show_curve(title, self._lab.run_directory(run.id) / "metrics.jsonl")
        else:
            plot.show_best(self.snapshot)

    # -- where the person is

    def on_resize(self, event: Resize) -> None:
        small = event.size.width < SMALL_COLUMNS or event.size.height < SMALL_ROWS
        self.set_class(small, "small")
        self._arrange()
        self.query_one("#footer", Static).update(footer(event.size.width - 2, FOOTER), layout=False)
        if self.snapshot is not None:
            self.call_after_refresh(self.show, self.snapshot)

    def go_to(self, pane: str) -> None:
        self.pane = pane
        self._arrange()
        self._focus_target(pane).focus()
        self._draw_plot()

    def _focus_target(self, pane: str) -> Widget:
        widget = self.query_one(f"#{pane}")
        return self.query_one(Agents).table if pane == "agents" else widget

    def _arrange(self) -> None:
        """Small screens: the slots and one other pane. Zoomed: one pane alone."""
        small = self.has_class("small")
        for name in PANES:
            pane = self.query_one(f"#{name}")
            pane.set_class(name == self.pane, "current")
            if self._zoomed:
                pane.display = name == self.pane
            elif small:
                other = self.pane if self.pane != "slots" else "plot"
                pane.display = name in ("slots", other)
            else:
                pane.display = True
        self.query_one("#grid").display = any(self.query_one(f"#{name}").display for name in PANES if name != "slots")

    def toggle_zoom(self) -> None:
        self._zoomed = not self._zoomed
        self.set_class(self._zoomed, "zoomed")
        self._arrange()
        if self.snapshot is not None:
            self.call_after_refresh(self.show, self.snapshot)

    def next_pane(self, step: int) -> None:
        self.go_to(PANES[(PANES.index(self.pane) + step) % len(PANES)])

    def on_descendant_focus(self) -> None:
        """A click or a tab inside brings the pane along."""
        focused = self.focused
        for name in PANES:
            pane = self.query_one(f"#{name}")
            if focused is not None and (focused is pane or pane in focused.ancestors) and name != self.pane:
                self.pane = name
                self._arrange()

    @property
    def experiment_id(self) -> int | None:
        """The experiment that an action means: the one selected in the pane where the person is."""
        pane = self.query_one(f"#{self.pane}")
        found: int | None = getattr(pane, "experiment_id", None)
        return found

    def move(self, where: str) -> None:
        """Move in the pane: down, up, first, last."""
        match self.focused:
            case DataTable() as table:
                rows = max(0, table.row_count - 1)
                row = {"down": table.cursor_row + 1, "up": table.cursor_row - 1, "first": 0, "last": rows}[where]
                table.move_cursor(row=max(0, min(rows, row)), animate=False)
            case OptionList() as options:
                {
                    "down": options.action_cursor_down,
                    "up": options.action_cursor_up,
                    "first": options.action_first,
                    "last": options.action_last,
                }[where]()
            case Log() as log:
                {
                    "down": log.action_scroll_down,
                    "up": log.action_scroll_up,
                    "first": log.action_scroll_home,
                    "last": log.action_scroll_end,
                }[where]()
            case _:
                return
