"""The dashboard: everything at a glance, laid out for the size at hand.

Wide: the slots over two columns, agents and plot at the left, results and queue at the right. Small (80x24): the
slots and the pane that the person is in, whose frame names the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus, Resize
from textual.markup import escape
from textual.widget import Widget

from orchestrator.lab import Lab
from orchestrator.store.records import Experiment, Run
from tui.curves import CurveFile
from tui.panes.agents import Agents
from tui.panes.health import HealthStrip
from tui.panes.plot import Plot
from tui.panes.queue import Queue
from tui.panes.results import Results
from tui.panes.rows import Rows
from tui.panes.slots import Slots
from tui.panes.tail import Tail
from tui.screens.room import RoomScreen
from tui.watch import Snapshot

PANES = ("slots", "agents", "results", "queue", "plot")
SMALL_COLUMNS, SMALL_ROWS = 110, 30
LOOK_SECONDS = 0.25
SECOND = 1.0


class Dashboard(RoomScreen):
    """Holds the panes and the one that the person is in."""

    # The most needed first: a small terminal shows as many as fit.
    FOOTER: ClassVar[tuple[str, ...]] = (
        *("help", "leave", "next_pane", "open", "pause_run", "stop_run", "kill", "requeue", "log", "diff", "filter"),
        *("full_screen", "copy", "pause_queue", "message", "command_line", "raise", "lower"),
    )

    def __init__(self, lab: Lab, read_only: bool = False) -> None:
        super().__init__()
        self._lab = lab
        self._read_only = read_only
        self.pane = "results"
        self.snapshot: Snapshot | None = None
        self._zoomed = False
        self._curve: CurveFile | None = None
        self._curve_run: int | None = None
        self._titles: dict[str, tuple[str, str]] = {}

    def compose(self) -> ComposeResult:
        yield HealthStrip(self._lab.root.name, self._read_only)
        with Vertical(id="panes"):
            yield Slots()
            with Horizontal(id="columns"):
                with Vertical(id="left", classes="column"):
                    yield Agents(self._lab)
                    yield Plot()
                with Vertical(id="right", classes="column"):
                    yield Results()
                    yield Queue()
        yield self.footer()

    def on_mount(self) -> None:
        self.go_to("results")
        self.set_interval(LOOK_SECONDS, self._tail)
        self.set_interval(SECOND, self._tick)

    # -- what is shown

    def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.query_one(HealthStrip).show(snapshot)
        for pane in (self.query_one(Slots), self.query_one(Agents), self.query_one(Queue), self.query_one(Results)):
            pane.take(snapshot)
        self._give_room()
        self._draw_plot()
        self._entitle()

    def _tail(self) -> None:
        if self.is_current:
            self.query_one(Agents).tail()

    def _tick(self) -> None:
        if self.is_current:
            self.query_one(HealthStrip).tick()
            self._draw_plot()
            self._entitle()

    def _draw_plot(self) -> None:
        """The best score; before there is one, or while the person is in the slots, the live loss."""
        plot = self.query_one(Plot)
        if self.snapshot is None or not plot.display:
            return
        story = self.snapshot.story
        chosen = self._run_to_draw()
        if chosen is None:
            plot.show_best(story)
            return
        run, experiment = chosen
        if self._curve is None or self._curve_run != run.id:
            self._curve_run, self._curve = run.id, CurveFile(self._lab.run_directory(run.id) / "metrics.jsonl")
        self._curve.look()
        title = f"run {run.id}: {experiment.label} {experiment.title}, seed {run.seed}"
        plot.show_curve(title, self._curve.shown())

    def _run_to_draw(self) -> tuple[Run, Experiment] | None:
        assert self.snapshot is not None
        story = self.snapshot.story
        if self.pane != "slots" and story.points:
            return None
        run_id = self.query_one(Slots).run_id
        if run_id is None and not story.points:
            run_id = next(iter(story.running), None)
        return story.running.get(run_id) if run_id is not None else None

    # -- where everything stands

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < SMALL_COLUMNS or event.size.height < SMALL_ROWS, "small")
        self.set_class(event.size.width >= 160, "broad")
        self._arrange()

    def _arrange(self) -> None:
        """Small screens: the slots and one other pane. Zoomed: one pane alone."""
        small = self.has_class("small")
        other = self.pane if self.pane != "slots" else "plot"
        for name in PANES:
            pane = self.query_one(f"#{name}")
            pane.set_class(name == self.pane, "current")
            pane.display = name == self.pane if self._zoomed else not small or name in ("slots", other)
        for column in self.query(".column"):
            column.display = any(pane.display for pane in column.children)
        self.query_one("#columns").display = any(column.display for column in self.query(".column"))
        self.set_class(self._zoomed, "zoomed")
        self._give_room()
        self._draw_plot()
        self._entitle()

    def _give_room(self) -> None:
        """The slots get a line each, within reason; the rest takes what is left."""
        small = self.has_class("small")
        slots = self.query_one(Slots)
        rows = max(1, min(slots.row_count, 3 if small else 8))
        slots.styles.height = "1fr" if self._zoomed else 2 + rows

    def _entitle(self) -> None:
        """Every frame says its number, its filter and its count; on a small screen, the other panes' too."""
        for name in PANES:
            pane = self.query_one(f"#{name}")
            marks = f"  {len(pane.marked)} marked *" if isinstance(pane, Rows) and pane.marked else ""
            title = escape(getattr(pane, "heading", name) + marks)
            if self.has_class("small") and not self._zoomed and name != "slots":
                tabs = [title if other == name else f"[$dim]{self._tab(other)}[/]" for other in PANES[1:]]
                title = " [$border]│[/] ".join(tabs)
            subtitle = escape(getattr(pane, "subheading", ""))
            if self._titles.get(name) != (title, subtitle):  # setting one repaints the pane
                self._titles[name] = (title, subtitle)
                pane.border_title, pane.border_subtitle = title, subtitle

    def _tab(self, pane: str) -> str:
        """The number, the name and the count of a pane."""
        words = str(getattr(self.query_one(f"#{pane}"), "heading", pane)).split()
        return escape(" ".join(words[:3] if len(words) > 2 and words[2].isdigit() else words[:2]))

    # -- where the person is

    def go_to(self, pane: str) -> None:
        self.pane = pane
        self._arrange()
        self._target(pane).focus()

    def _target(self, pane: str) -> Widget:
        return self.query_one(Agents).table if pane == "agents" else self.query_one(f"#{pane}")

    def on_descendant_focus(self, _: DescendantFocus) -> None:
        """A click inside brings the pane along."""
        focused = self.focused
        for name in PANES:
            pane = self.query_one(f"#{name}")
            if focused is not None and (focused is pane or pane in focused.ancestors) and name != self.pane:
                self.pane = name
                self._arrange()

    def on_rows_moved(self, event: Rows.Moved) -> None:
        if isinstance(event.rows, Slots):
            self._draw_plot()
            self._entitle()

    async def on_rows_opened(self, _: Rows.Opened) -> None:
        await self.app.run_action("act('open', 'enter')")

    @property
    def experiment_id(self) -> int | None:
        """The experiment that an action means: the one selected in the pane where the person is."""
        found: int | None = getattr(self.query_one(f"#{self.pane}"), "experiment_id", None)
        return found

    @property
    def marked(self) -> tuple[int, ...]:
        table = self.query_one(f"#{self.pane}")
        return tuple(int(key) for key in table.marked) if isinstance(table, Queue | Results) else ()

    @property
    def run_id(self) -> int | None:
        return self.query_one(Slots).run_id if self.pane == "slots" else None

    @property
    def agent(self) -> str | None:
        return self.query_one(Agents).agent if self.pane == "agents" else None

    @property
    def path(self) -> Path | None:
        return None if self.agent is None else self._lab.agent_log(self.agent)

    def view(self, name: str, key: str) -> bool:
        match name:
            case "pane" if key.isdigit() and int(key) <= len(PANES):
                self.go_to(PANES[int(key) - 1])
            case "next_pane":
                self.go_to(PANES[(PANES.index(self.pane) + 1) % len(PANES)])
            case "previous_pane":
                self.go_to(PANES[(PANES.index(self.pane) - 1) % len(PANES)])
            case "full_screen":
                self._zoomed = not self._zoomed
                self._arrange()
            case "mark":
                table = self.query_one(f"#{self.pane}")
                if isinstance(table, Queue | Results):
                    table.mark()
                    self._entitle()
                else:
                    self.notify("Marks are for rows of the queue and the results: 4 and 3 go there.")
            case "back" if self.marked:
                self.query_one(f"#{self.pane}", Rows).keep_marks()
                self._entitle()
            case "back" if self._zoomed:
                self._zoomed = False
                self._arrange()
            case "follow" if self.pane == "agents":
                log = self.query_one("#agent-log", Tail)
                log.move("down" if log.follows else "last")
            case "wrap" if self.pane == "agents":
                self.query_one("#agent-log", Tail).toggle_wrap()
            case "down" | "up" | "first" | "last":
                if isinstance(self.focused, Rows | Tail):
                    self.focused.move(name)
            case _:
                return False
        return True
