"""The dashboard: everything at a glance, laid out for the size at hand (tui.arranging)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import DescendantFocus, Resize
from textual.markup import escape
from textual.widget import Widget

from orchestrator.lab import Lab
from tui.arranging import PANES, SIZES, STRIP, Group, seen, size_of, slot_lines
from tui.keys import footer
from tui.panes.agents import Agents
from tui.panes.health import HealthStrip
from tui.panes.line import OneLine
from tui.panes.plot import Plot
from tui.panes.queue import Queue
from tui.panes.results import Results
from tui.panes.rows import Rows
from tui.panes.slots import Slots
from tui.panes.tail import Tail
from tui.plotting import SERIES, Plotting, Subject
from tui.screens.room import RoomScreen
from tui.titles import FRAME, titles
from tui.tones import Line
from tui.watch import Snapshot, Wish

LOOK_SECONDS = 0.25
SECOND = 1.0
AROUND = (*PANES, STRIP)  # where `tab` goes


class Dashboard(RoomScreen):
    """Holds the panes and the one that the person is in."""

    # The most needed first: a small terminal shows as many as fit.
    FOOTER: ClassVar[tuple[str, ...]] = ("help", "leave", "next_pane")
    OF_PANE: ClassVar[dict[str, tuple[str, ...]]] = {
        "slots": ("open", "pause_run", "stop_run", "kill", "log", "diff"),
        "agents": ("open", "pause_run", "message", "follow", "wrap"),
        "results": ("open", "filter", "order", "log", "diff", "requeue", "edit_requeue", "mark", "copy"),
        "queue": ("open", "raise", "lower", "drop", "edit_requeue", "add", "filter", "diff", "mark", "copy"),
        "plot": ("series",),
        STRIP: ("open",),
    }
    EVERYWHERE: ClassVar[tuple[str, ...]] = (
        *("full_screen", "pause_queue", "series", "review", "add", "undo", "message", "command_line"),
    )

    def __init__(self, lab: Lab, read_only: bool = False) -> None:
        super().__init__()
        self._lab = lab
        self._read_only = read_only
        self.pane = "results"
        self.snapshot: Snapshot | None = None
        self.zoomed = False
        self._kind = "normal"
        self._shown: dict[Group, str] = {}
        self.plotting = Plotting(lab)
        self._titles: dict[str, tuple[str, str]] = {}

    def restore(self, pane: str, zoomed: bool, series: str) -> None:
        """As the person has left it."""
        self.pane = pane if pane in PANES else self.pane
        self.zoomed = zoomed
        self.plotting.chosen = series if series in SERIES else self.plotting.chosen

    def compose(self) -> ComposeResult:
        yield HealthStrip(self._lab, self._read_only)
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
        self.go_to(self.pane)
        self.set_interval(LOOK_SECONDS, self._tail)
        self.set_interval(SECOND, self._tick)

    # -- what is shown

    @property
    def wish(self) -> Wish:
        """What the tables show."""
        return Wish() if self.snapshot is None else self.snapshot.story.wish

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
        plot = self.query_one(Plot)
        if self.snapshot is not None and plot.display:
            self.plotting.draw(plot, self.snapshot.story, self._subject(), self.pane == "slots")

    def _subject(self) -> Subject | None:
        """The run to plot: of the selected result, or on the selected slot, or the first under way."""
        assert self.snapshot is not None
        running, results = self.snapshot.story.running, self.query_one(Results)
        if self.pane == "results" and results.run_id is not None:
            run = next(run for run in self.snapshot.story.result_runs[results.experiment_id or 0][-1:])
            experiment = next(e for e in self.snapshot.story.results if e.id == run.experiment_id)
            return Subject(run, experiment)
        run_id = self.query_one(Slots).run_id
        if run_id not in running and self.pane != "slots":
            run_id = next(iter(running), None)
        return Subject(*running[run_id]) if run_id in running else None

    # -- where everything stands

    def on_resize(self, event: Resize) -> None:
        self._kind = size_of(event.size.width, event.size.height)
        for name in SIZES:
            self.set_class(name == self._kind or (name == "broad" and self._kind == "vast"), name)
        self._arrange()
        self.call_after_refresh(self._entitle)  # the panes' widths are known then

    def _arrange(self) -> None:
        """Of panes that share a place the one at hand; zoomed: one pane alone."""
        self._shown |= seen(self._kind, self.pane, self._shown)
        places = seen(self._kind, self.pane, self._shown)
        alone = self.pane if self.pane in PANES else places[next(iter(places))]
        for name in PANES:
            pane = self.query_one(f"#{name}")
            pane.set_class(name == self.pane, "current")
            pane.display = name == alone if self.zoomed else name == "slots" or name in places.values()
        for column in self.query(".column"):
            column.display = any(pane.display for pane in column.children)
        self.query_one("#columns").display = any(column.display for column in self.query(".column"))
        self.set_class(self.zoomed, "zoomed")
        self._give_room()
        self._draw_plot()
        self._entitle()
        self.query_one(".footer", OneLine).tell()

    @property
    def own_keys(self) -> tuple[str, ...]:
        """All keys are its own."""
        return ()

    def footer(self) -> OneLine:
        """The keys of the pane at hand, then those that work everywhere."""

        def names(width: int) -> Line:
            shown = dict.fromkeys((*self.FOOTER, *self.OF_PANE[self.pane], *self.EVERYWHERE))
            return footer(width, shown, only_looking=self.only_looks, held=self._held())

        return OneLine(names, classes="footer")

    def _held(self) -> set[str]:
        """The keys that pause whose thing is paused."""
        if self.snapshot is None:
            return set()
        held = {"pause_queue"} if self.snapshot.story.paused else set()
        slots = {slot.name: slot.phase for slot in self.snapshot.slots}
        agents = {agent.name for agent in self.snapshot.agents if agent.paused_by}
        of_slot = self.pane == "slots" and slots.get(self.query_one(Slots).selected_key or "") == "paused"
        return held | ({"pause_run"} if of_slot or (self.pane == "agents" and self.agent in agents) else set())

    def _give_room(self) -> None:
        slots = self.query_one(Slots)
        rows = slot_lines(slots.row_count, self.size.height)
        slots.styles.height = "1fr" if self.zoomed else 3 + rows  # the frame and the headings

    def _entitle(self) -> None:
        """Every frame says its number, its filter and its count; those that share its place too."""
        places = seen(self._kind, self.pane, self._shown)
        beside = {shown: group for group, shown in places.items() if not self.zoomed}
        for name in PANES:
            pane = self.query_one(f"#{name}")
            marks = f"  {len(pane.marked)} marked *" if isinstance(pane, Rows) and pane.marked else ""
            heading = getattr(pane, "heading", name) + marks
            group = beside.get(name, (name,))
            width = pane.outer_size.width - FRAME if pane.outer_size.width else self.size.width
            said = titles(group, name, heading, {other: self._tab(other) for other in group}, width)
            words = [escape(said[other]) if other == name else f"[$dim]{escape(said[other])}[/]" for other in group]
            title = " [$border]│[/] ".join(words)
            subtitle = escape(getattr(pane, "subheading", ""))
            if self._titles.get(name) != (title, subtitle):  # setting one repaints the pane
                self._titles[name] = (title, subtitle)
                pane.border_title, pane.border_subtitle = title, subtitle
        for line in self.query(".footer").results(OneLine):
            line.tell()

    def _tab(self, pane: str) -> str:
        """The number, the name and the count of a pane; of the plot the number and the picture."""
        shown = self.query_one(f"#{pane}")
        if isinstance(shown, Plot):
            return shown.tab
        words = str(getattr(shown, "heading", pane)).split()
        return " ".join(words[:3] if len(words) > 2 and words[2].isdigit() else words[:2])

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
        for name in AROUND:
            pane = self.query_one(f"#{name}")
            if focused is not None and (focused is pane or pane in focused.ancestors) and name != self.pane:
                self.pane = name
                self._arrange()

    def on_rows_moved(self, event: Rows.Moved) -> None:
        if isinstance(event.rows, Slots | Results):
            self._draw_plot()
        self._entitle()

    async def on_rows_opened(self, _: Rows.Opened) -> None:
        await self.app.run_action("act('open', 'enter')")

    def _show_plot(self) -> None:
        """Draw it; where another pane stands in its place, go there."""
        if not self.query_one(Plot).display:
            self.go_to("plot")
        self._draw_plot()
        self._entitle()

    @property
    def table(self) -> str:
        """The table that filters and orders are for: the queue, else the results."""
        return "queue" if self.pane == "queue" else "results"

    def hold(self) -> None:
        pane = self.query_one(f"#{self.pane}")
        if isinstance(pane, Rows):
            pane.hold()

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
            case "pane" if key == "0":
                self.go_to(STRIP)
            case "pane" if key == "2" and self.pane == "agents":
                self.query_one(Agents).next_agent()
            case "pane" if key.isdigit() and int(key) <= len(PANES):
                self.go_to(PANES[int(key) - 1])
            case "next_pane" | "previous_pane":
                step = 1 if name == "next_pane" else -1
                self.go_to(AROUND[(AROUND.index(self.pane) + step) % len(AROUND)])
            case "series":
                self.plotting.next()
                self._show_plot()
            case "full_screen":
                self.zoomed = not self.zoomed
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
            case "back" if self.zoomed:
                self.zoomed = False
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
