"""The control room: one app that shows snapshots of the store and sends commands. It never runs anything itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from textual.app import SystemCommand
from textual.screen import Screen

from orchestrator.actions import ACTIONS, BY_NAME, Action, Kind
from orchestrator.actor import who
from orchestrator.errors import LabError
from orchestrator.lab import Lab, daemon_of
from orchestrator.patches.offline import BUILT_IN_HEARS_NOTHING, hears_nothing
from orchestrator.store.reader import Reader
from orchestrator.store.records import Command
from tui.arranging import STRIP
from tui.commands import ON_THE_COMMAND_LINE, NotUnderstood, Order, not_understood, understand
from tui.deeds import Deeds
from tui.keys import bindings, shown
from tui.meaning import order_of
from tui.memory import Memory, hidden_by, layout_of, restore
from tui.opening import started_again, stopped_by, tell_of_neighbours
from tui.own_outcomes import OwnOutcomes
from tui.paced import PacedApp
from tui.pages import Pages
from tui.panes.rows import Rows
from tui.remedies import in_room
from tui.screens.dashboard import Dashboard
from tui.screens.dialogs import Write
from tui.screens.room import RoomScreen
from tui.screens.setup import Setup
from tui.steering import Steering, message_order
from tui.tables import Tables
from tui.typed_before import TypedBefore
from tui.watch import WINDOW, Snapshot, Watch

LOOK_SECONDS = 0.2
TROUBLE_SECONDS = 5.0
REMEMBER_SECONDS = 2.0
SHOWN_SECONDS = 0.005


class ControlRoom(PacedApp[str]):
    """Returns the sentence that explains why it could not open, or nothing."""

    TITLE = "autolab"
    CSS_PATH = "room.tcss"
    BINDINGS = bindings()
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, lab: Lab, *, read_only: bool = False) -> None:
        super().__init__()
        self.read_only = read_only
        self._lab = lab
        self._reader: Reader | None = None
        self._commands, self._messages = TypedBefore("commands"), TypedBefore("messages")
        self._watch: Watch | None = None
        self._steering: Steering | None = None
        self._pages: Pages | None = None
        self._deeds: Deeds | None = None
        self._tables: Tables | None = None
        self._memory = Memory(lab, who(), keep=not read_only)
        self._own = OwnOutcomes(who())
        self._wanted = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self.dashboard = Dashboard(lab, read_only)

    # -- opening and watching

    async def on_mount(self) -> None:
        if self._lab.exists and (self.read_only or daemon_of(self._lab) is not None):
            await self._open("")
        else:
            stop = await stopped_by(self._lab) if self._lab.exists else None
            self.push_screen(Setup(self._lab), partial(self._open, begun=True, stop=stop))
            self.call_later(self.first_screen_made)

    async def _open(self, problem: str | None, begun: bool = False, stop: Command | None = None) -> None:
        """The lab is there (or not: then `problem` says why, and the room opens if there is something to see).

        `begun`: its daemon was started for this room, after somebody's order to `stop`, if there was one.
        """
        if problem is None or not self._lab.database.exists():
            self.exit(problem or "", return_code=1 if problem else 0)
            return
        try:
            self._reader = await Reader(self._lab.database).open()
        except LabError as error:
            self.exit(problem or str(error), return_code=1)
            return
        if self.read_only:
            await self._reader.connection.execute("PRAGMA query_only = ON")  # whatever a screen may try
        self._watch = Watch(self._lab, self._reader)
        self._tables = Tables(self, self._watch, self._wish_shown)
        restore(self._memory.recall(), self._watch, self.dashboard)
        self._steering = Steering(self, self._lab, self._reader)
        self._pages = Pages.opened(self, self._lab, self._reader, keep=not self.read_only)
        self._watch.wants(since=self._pages.looked)
        self._deeds = Deeds(self, self._lab, self._reader, self._carry_out)
        look = asyncio.create_task(self._first_look(self._watch))
        with contextlib.suppress(LabError):
            await self._own.news(self._reader)  # what was before is told by the summary
        with self.batch_update():  # the first screen is painted once, and complete
            await self.push_screen(self.dashboard)
            if (first := await look) is not None:
                self.dashboard.show(first)
                if hidden := hidden_by(first.story):
                    self.notify(hidden, severity="warning", timeout=15, markup=False)
        self.call_later(self.first_screen_made)
        if problem:
            self.notify(problem, title="the daemon did not start", severity="error", timeout=15, markup=False)
        elif begun:
            if stop is not None:
                self.notify(started_again(stop), severity="warning", timeout=15, markup=False)
            await tell_of_neighbours(self, self._lab)
        self._looking = asyncio.create_task(self._look_for_ever(self._watch), name="watch")
        self.set_interval(REMEMBER_SECONDS, self._remember)

    def _remember(self) -> None:
        if self._watch is not None:
            self._memory.keep(layout_of(self._watch.wish, self.dashboard))

    async def _first_look(self, watch: Watch) -> Snapshot | None:
        with contextlib.suppress(LabError):  # the next look says why
            return await watch.look()
        return None

    async def _look_for_ever(self, watch: Watch) -> None:
        while True:
            try:
                snapshot = await watch.look()
            except LabError as error:
                self.notify(str(error), severity="error", markup=False)
                await asyncio.sleep(TROUBLE_SECONDS)
                continue
            if snapshot is not None:
                if snapshot.story.wish.same_rows(self.dashboard.wish):  # else the keys wait for this very snapshot
                    await self.keys_answered()
                self.dashboard.show(snapshot)
                await self._tell_of_own_outcomes()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), LOOK_SECONDS)
            self._wanted.clear()

    async def _wish_shown(self) -> None:
        """Ends when the tables show the rows that are wished for."""
        assert self._watch is not None
        self._wanted.set()
        while not self._watch.wish.same_rows(self.dashboard.wish):
            await asyncio.sleep(SHOWN_SECONDS)

    async def _tell_of_own_outcomes(self) -> None:
        assert self._reader is not None
        with contextlib.suppress(LabError):  # the next look says why
            for told, good in await self._own.news(self._reader):
                self.notify(told, severity="information" if good else "warning", timeout=10, markup=False)

    def on_rows_wanted(self, event: Rows.Wanted) -> None:
        """The person has scrolled to results that are not read yet."""
        if self._watch is not None:
            self._watch.wants(first=max(0, event.middle - WINDOW // 2))
            self._wanted.set()

    async def on_unmount(self) -> None:
        self._remember()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._watch is not None:
            await self._watch.end()
        if self._reader is not None:
            await self._reader.close()

    # -- from a key to what it does

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """The table's keys are for the screens of the room: a window over it has tab and the rest for itself."""
        if action == "act" and self.screen_stack and not isinstance(self.screen, RoomScreen):
            return False
        return super().check_action(action, parameters)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        for action in ACTIONS:
            if action.name not in ("palette", "pane"):
                name = action.footer or action.name.replace("_", " ")
                keys = f"  ({' '.join(shown(key) for key in action.keys)})" if action.keys else ""
                yield SystemCommand(f"{name}{keys}", action.help, partial(self.action_act, action.name))

    def action_act(self, name: str, key: str = "") -> None:
        """Do what the table says under this name, on the screen on top."""
        screen = self.screen
        if name == "back":
            self.clear_notifications()  # they have been read
        if self._pages is not None and self._watch is not None:
            self._pages.here()
            self._watch.wants(since=self._pages.looked)
        action = BY_NAME[name]
        if isinstance(screen, RoomScreen) and (action.takes or name in ("open", "copy", "command_line")):
            screen.hold()
        if self._steering is None or not isinstance(screen, RoomScreen) or screen.view(name, key):
            return
        assert self._deeds is not None
        if self._refuses(action) or self._deeds.does(name, screen):
            return
        match action.kind:
            case Kind.VIEW:
                self._view(name, screen)
            case _ if name == "message":
                self._ask_message(screen.agent or "all")
            case _ if action.takes in ("id value", "id base", "text", "key value"):
                meant = screen.experiment_id if action.takes.startswith("id") else None
                self._ask_command(f"{action.verb} " if meant is None else f"{action.verb} {meant} ")
            case _:
                self._understood(lambda: order_of(action, screen))

    def _view(self, name: str, screen: RoomScreen) -> None:
        match name:
            case "help":
                from tui.screens.help import Help  # what the first screen does not need comes when asked for

                self.push_screen(Help(screen.own_keys))
            case "filter" if screen is self.dashboard:
                self._at_tables().ask(self.dashboard.table)
            case "order" if screen is self.dashboard:
                self._at_tables().next_order(self.dashboard.table)
            case "turn_order" if screen is self.dashboard:
                self._at_tables().turn_order(self.dashboard.table)
            case "command_line":
                self._ask_command()
            case "open" if screen is self.dashboard:
                self._look_into(screen)
            case "back" if screen is self.dashboard:
                self._at_tables().clear(self.dashboard.table)
            case "follow" | "wrap" | "next_match" | "previous_match":
                self.notify("That is for logs: l opens the log of the selected run.")
            case "filter" | "order" | "turn_order":
                self.notify("Nothing is looked for or sorted here: the tables and an experiment's log can be.")
            case "series" | "side_by_side" | "full_screen" | "mark" | "outcome":
                self.notify(f"{(BY_NAME[name].footer or name).capitalize()} means nothing here: ? lists the keys.")
            case "leave":
                self.exit()
            case "sleep":
                self.action_suspend_process()
            case "redraw":
                self.action_redraw()
            case _:
                return

    def _look_into(self, screen: RoomScreen) -> None:
        """Enter: an agent's transcript, the experiment of the row, or what changed."""
        assert self._pages is not None and self._watch is not None
        if self.dashboard.pane == STRIP:
            self._pages.changes()
            self._watch.wants(since=self._pages.looked)
        elif screen.agent is not None:
            self._pages.transcript(screen.agent)
        elif screen.experiment_id is not None:
            self._pages.experiment(screen.experiment_id)

    def notify(self, message: str, **how: Any) -> None:
        """A notice names commands as the room takes them."""
        super().notify(in_room(message), **how)

    # -- asking for words

    def _at_tables(self) -> Tables:
        assert self._tables is not None
        return self._tables

    def _ask_command(self, begun: str = "") -> None:
        screen = self.screen
        selected = screen.experiment_id if isinstance(screen, RoomScreen) else None
        marked = screen.marked if isinstance(screen, RoomScreen) else ()

        def given(text: str | None) -> None:
            if text:
                self._understood(lambda: understand(text, selected, marked))

        def wrong(text: str) -> str | None:
            return not_understood(text, selected, marked) if text else None

        from tui.screens.command_line import CommandLine

        assert self._reader is not None
        self.push_screen(CommandLine(self._lab, self._reader, self._commands, wrong, begun), given)

    def _ask_message(self, agent: str) -> None:
        def given(text: str | None) -> None:
            if text:
                self._carry_out(message_order(agent, text))

        hint = "read at the next job" + ("; select an agent first (2) to write to it alone" if agent == "all" else "")
        agents = self.dashboard.snapshot.agents if self.dashboard.snapshot is not None else []
        if hears_nothing(agent, agents):
            hint = BUILT_IN_HEARS_NOTHING
        self.push_screen(Write(f"to {agent}:", hint, self._messages), given)

    # -- carrying out

    def _understood(self, order: Callable[[], Order]) -> None:
        try:
            self._carry_out(order())
        except NotUnderstood as error:
            self.notify(str(error), severity="warning", markup=False)

    def _refuses(self, action: Action) -> bool:
        """Whether this room only watches and the action would change the lab: then it says so."""
        if not self.read_only or action.kind in (Kind.VIEW, Kind.READ):
            return False
        meant = action.verb or action.footer or action.name.replace("_", " ")
        words = f"This room only watches: {meant} would change the lab."
        self.notify(f"{words} Open it without --read-only.", title="read-only", severity="warning", markup=False)
        return True

    def _carry_out(self, order: Order) -> None:
        assert self._steering is not None
        action, arguments = order.action, order.arguments
        screen = self.screen
        if self._refuses(action):
            return
        deeds = self._deeds
        if deeds is not None and isinstance(screen, RoomScreen) and deeds.does(action.name, screen, arguments):
            return
        match action.kind:
            case Kind.READ:
                self._read(action, arguments)
            case Kind.LAB if action.name == "start":
                self._steering.start_daemon()
            case Kind.COMMAND if action.name == "import":
                self._steering.import_results(arguments["words"])
            case Kind.COMMAND | Kind.LAB if action.verb not in ("add", *ON_THE_COMMAND_LINE):
                self._steering.order(order, ask=action.name not in getattr(screen, "UNASKED", ()))
            case _:
                self.notify(f"On the command line: autolab {action.verb} --help")

    def _read(self, action: Action, arguments: dict[str, Any]) -> None:
        assert self._pages is not None
        if action.name in ("results", "queue"):
            self.dashboard.go_to(action.name)
            self._at_tables().order(action.name, arguments.get("words", ()), arguments.get("raw", ""))
        else:
            self._pages.open(action, arguments)
