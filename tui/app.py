"""The control room: one app that shows snapshots of the store and sends commands. It never runs anything itself."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable
from typing import Any

from textual.app import App, SystemCommand
from textual.screen import Screen
from textual.widgets import DataTable, OptionList

from orchestrator.actions import ACTIONS, BY_NAME, Action, Kind
from orchestrator.actor import who
from orchestrator.errors import LabError
from orchestrator.lab import Lab, daemon_of
from orchestrator.store.reader import SORTS, Reader
from tui.commands import NotUnderstood, Order, understand
from tui.keys import bindings
from tui.panes.agents import Agents
from tui.screens.dashboard import PANES, Dashboard
from tui.screens.dialogs import Ask, Confirm
from tui.screens.experiment import ExperimentScreen
from tui.screens.help import Help
from tui.screens.setup import Setup
from tui.screens.text import LogScreen
from tui.watch import Snapshot, Watch

LOOK_SECONDS = 0.4
ANSWER_SECONDS = 60.0


class ControlRoom(App[str]):
    """Returns the sentence that explains why it could not open, or nothing."""

    TITLE = "autolab"
    CSS_PATH = "room.tcss"
    BINDINGS = bindings()
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, lab: Lab) -> None:
        super().__init__()
        self.animation_level = "none"
        self._lab = lab
        self._reader: Reader | None = None
        self._watch: Watch | None = None
        self.dashboard = Dashboard(lab)

    # -- opening and watching

    async def on_mount(self) -> None:
        if self._lab.exists and daemon_of(self._lab) is not None:
            await self._open("")
        else:
            self.push_screen(Setup(self._lab), self._open)

    async def _open(self, problem: str | None) -> None:
        """The lab is there (or not: then `problem` says why, and the room opens if there is something to see)."""
        if problem is None or not self._lab.database.exists():
            self.exit(problem or "", return_code=1 if problem else 0)
            return
        try:
            self._reader = await Reader(self._lab.database).open()
        except LabError as error:
            self.exit(problem or str(error), return_code=1)
            return
        self._watch = Watch(self._lab, self._reader)
        await self.push_screen(self.dashboard)
        if problem:
            self.notify(problem, title="the daemon did not start", severity="error", timeout=15, markup=False)
        self.run_worker(self._look_for_ever(), name="watch")

    async def _look_for_ever(self) -> None:
        assert self._watch is not None
        while True:
            try:
                snapshot = await self._watch.look()
            except LabError as error:
                self.notify(str(error), severity="error", markup=False)
                await asyncio.sleep(5)
                continue
            if snapshot is not None:
                self.dashboard.show(snapshot)
            await asyncio.sleep(LOOK_SECONDS)

    async def on_unmount(self) -> None:
        if self._reader is not None:
            await self._reader.close()

    @property
    def _snapshot(self) -> Snapshot | None:
        return self.dashboard.snapshot

    # -- actions

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        for action in ACTIONS:
            if action.name in ("palette", "open", "pane"):
                continue
            title = action.name.replace("_", " ")
            yield SystemCommand(title, action.help, lambda action=action: self.action_act(action.name))

    def action_act(self, name: str, key: str = "") -> None:
        """Do what the table says under this name."""
        action = BY_NAME[name]
        if self._watch is None or not isinstance(self.screen, Dashboard | ExperimentScreen):
            return
        match action.kind:
            case Kind.VIEW:
                self._view(name, key)
            case _ if name == "message":
                self._ask_message()
            case Kind.COMMAND if name in ("pause", "resume", "pause_queue", "priority", "add"):
                self._without_selection(name)
            case _ if action.takes == "id" and self.selected is None:
                self.notify("Select an experiment first: in the slots, the queue or the results.")
            case _:
                self.carry_out(Order(action, {"id": self.selected} if action.takes == "id" else {}))

    @property
    def selected(self) -> int | None:
        """The experiment that a key means now."""
        if isinstance(self.screen, ExperimentScreen):
            return self.screen.experiment_id
        return self.dashboard.experiment_id

    def _view(self, name: str, key: str) -> None:
        room = self.dashboard
        doing: dict[str, Callable[[], object]] = {
            "help": lambda: self.push_screen(Help()),
            "next_pane": lambda: room.next_pane(1),
            "previous_pane": lambda: room.next_pane(-1),
            "down": lambda: room.move("down"),
            "up": lambda: room.move("up"),
            "first": lambda: room.move("first"),
            "last": lambda: room.move("last"),
            "full_screen": room.toggle_zoom,
            "filter": self._ask_filter,
            "command_line": self._ask_command,
            "back": lambda: self._search(""),
            "follow": lambda: self.notify("Open a log first: l."),
            "wrap": lambda: self.notify("Open a log first: l."),
            "leave": self.exit,
        }
        if name == "pane":
            if key.isdigit() and int(key) <= len(PANES):
                room.go_to(PANES[int(key) - 1])
        else:
            doing[name]()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self._look_into()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self._look_into()

    def _look_into(self) -> None:
        """Enter: an agent's transcript, or the experiment of the row."""
        if self.dashboard.pane == "agents":
            name = self.dashboard.query_one(Agents).agent
            if name is not None:
                self.push_screen(LogScreen(f"agent {name}", self._lab.agent_log(name)))
        elif self.selected is not None:
            self._show_experiment(self.selected)

    def _show_experiment(self, experiment_id: int, at_diff: bool = False) -> None:
        assert self._reader is not None
        self.push_screen(ExperimentScreen(self._lab, self._reader, experiment_id, at_diff))

    # -- asking

    def _ask_filter(self) -> None:
        assert self._watch is not None
        self.push_screen(
            Ask("/", self._watch.wish.search, "filters queue and results; empty shows all"),
            lambda text: None if text is None else self._search(text),
        )

    def _search(self, text: str) -> None:
        assert self._watch is not None
        self._watch.wants(search=text.strip())

    def _ask_command(self) -> None:
        def given(text: str | None) -> None:
            if text is None:
                return
            try:
                order = understand(text, self.selected)
            except NotUnderstood as error:
                self.notify(str(error), severity="warning", markup=False)
                return
            self.carry_out(order)

        self.push_screen(
            Ask(":", "", "a verb of the command line, for example: kill 12, results muon, sort delta"), given
        )

    def _ask_message(self) -> None:
        agent = self.dashboard.query_one(Agents).agent if self.dashboard.pane == "agents" else None
        to = agent or "all"

        def given(text: str | None) -> None:
            if text and text.strip():
                self.carry_out(Order(BY_NAME["message"], {"agent": to, "text": text}))

        self.push_screen(
            Ask(f"to {to}:", "", "read at the next job; select an agent first to write to it alone"), given
        )

    def _without_selection(self, name: str) -> None:
        match name:
            case "pause_queue":
                paused = self._snapshot is not None and self._snapshot.paused
                self.carry_out(Order(BY_NAME["resume" if paused else "pause"], {}))
            case "pause" | "resume":
                self.carry_out(Order(BY_NAME[name], {}))
            case _:
                self.notify(
                    f"Type it: `:{name} ...`" if name == "priority" else "On the command line: autolab add --help"
                )

    # -- carrying out

    def carry_out(self, order: Order) -> None:
        """Do an understood order: ask first where the table says so."""
        action, arguments = order.action, order.arguments
        match action.kind:
            case Kind.READ:
                self._read(action, arguments)
            case Kind.LAB:
                self._lab_order(action)
            case Kind.COMMAND if action.confirm:
                self._confirm(action, lambda: self._send(action, arguments), arguments.get("id"))
            case _:
                self._send(action, arguments)

    def _confirm(self, action: Action, then: Callable[[], object], experiment_id: int | None = None) -> None:
        question = action.confirm.format("" if experiment_id is None else experiment_id)
        yes = action.footer or action.name

        def answered(sure: bool | None) -> None:
            if sure:
                then()

        self.push_screen(Confirm(question, yes.capitalize()), answered)

    def _read(self, action: Action, arguments: dict[str, Any]) -> None:
        match action.name:
            case "log":
                self._open_log(int(arguments["id"]))
            case "diff":
                self._show_experiment(int(arguments["id"]), at_diff=True)
            case "show":
                self._show_experiment(int(arguments["id"]))
            case "results" | "queue":
                self._table_order(action.name, list(arguments.get("words", [])))
            case _:
                self.notify(f"On the command line: autolab {action.verb}")

    def _table_order(self, pane: str, words: list[str]) -> None:
        """`:results muon` filters; `:results sort delta` sorts."""
        assert self._watch is not None
        self.dashboard.go_to(pane)
        if words[:1] == ["sort"] and len(words) == 2 and words[1] in SORTS:
            same = self._watch.wish.sort == words[1]
            self._watch.wants(sort=words[1], descending=not self._watch.wish.descending if same else words[1] == "id")
        else:
            self._search(" ".join(words))

    def _open_log(self, experiment_id: int) -> None:
        async def find() -> None:
            assert self._reader is not None
            runs = await self._reader.runs_of(experiment_id)
            if not runs:
                self.notify(f"Experiment {experiment_id} has not run yet.")
                return
            path = self._lab.run_directory(runs[-1].id) / "log"
            self.push_screen(LogScreen(f"experiment {experiment_id}, run {runs[-1].id}", path))

        self.run_worker(find())

    def _lab_order(self, action: Action) -> None:
        match action.name:
            case "start":
                self.run_worker(self._start_daemon(), exclusive=True, group="start")
            case "stop":
                self._confirm(action, lambda: self._send(action, {"now": False}))
            case _:
                self.notify(f"On the command line: autolab {action.verb}")

    async def _start_daemon(self) -> None:
        if daemon_of(self._lab) is not None:
            self.notify("The lab is at work already.")
            return
        self.notify("starting the daemon")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orchestrator.cli.main", "start", str(self._lab.root)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        if process.returncode != 0:
            self.notify(errors.decode(errors="replace").strip(), severity="error", timeout=15, markup=False)

    def _send(self, action: Action, arguments: dict[str, Any]) -> None:
        self.run_worker(self._send_and_tell(action, arguments))

    async def _send_and_tell(self, action: Action, arguments: dict[str, Any]) -> None:
        """Leave the command and show the answer, after the fact."""
        assert self._reader is not None
        verb, arguments = await self._verb(action, arguments)
        try:
            command_id = await self._reader.post_command(verb, arguments, who())
            if daemon_of(self._lab) is None:
                self.notify("The daemon is not running: it answers when it is back (S starts it).", severity="warning")
                return
            command = await self._reader.answer(command_id, ANSWER_SECONDS)
        except LabError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        match command.state:
            case "done":
                self.notify(command.answer, markup=False)
            case "refused":
                self.notify(command.answer, title=f"{verb}: refused", severity="warning", markup=False)
            case _:
                self.notify(f"{verb}: the daemon has not answered yet", severity="warning")

    async def _verb(self, action: Action, arguments: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Keys that stand for a verb by what they find: `p` pauses or resumes, `+` and `-` count."""
        assert self._reader is not None
        match action.name:
            case "pause_run":
                phases = {slot.run_id: slot.phase for slot in await self._reader.slots()}
                runs = [run for run in await self._reader.runs_underway() if run.experiment_id == arguments["id"]]
                paused = any(phases.get(run.id) == "paused" for run in runs)
                return ("resume" if paused else "pause"), arguments
            case "raise" | "lower":
                experiment = await self._reader.experiment(arguments["id"])
                now = experiment.priority if experiment is not None else 0
                return "priority", {**arguments, "value": now + (10 if action.name == "raise" else -10)}
            case _:
                return action.verb or action.name, arguments
