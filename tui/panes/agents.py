"""Pane 2, the agents: who does what, and the live log of the selected one."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import DataTable, Log

from orchestrator.lab import Lab
from orchestrator.runs.log_text import read_lines
from orchestrator.settings import ROLES
from tui.panes.table import KeyedTable
from tui.present import agent_state
from tui.watch import Snapshot

FIRST_BYTES = 32 * 1024
LINES_KEPT = 2000


def _place(role: str) -> int:
    """The roles in the order in which an idea passes through them."""
    return ROLES.index(role) if role in ROLES else len(ROLES)


class Agents(Vertical):
    """A row per agent; below it the log, followed as it grows."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(id="agents")
        self.border_title = "2 agents"
        self._lab = lab
        self._followed: str | None = None
        self._offset: int | None = None
        self._chosen = False  # until the person picks one, the log is that of whoever was busy last
        self._snapshot: Snapshot | None = None

    def compose(self) -> ComposeResult:
        yield KeyedTable((("agent", 11), ("state", 10), ("job", None)), id="agent-table")
        yield Log(id="agent-log", max_lines=LINES_KEPT, highlight=False)

    @property
    def table(self) -> KeyedTable:
        return self.query_one("#agent-table", KeyedTable)

    def show(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        agents = sorted(snapshot.agents, key=lambda agent: (_place(agent.role), agent.name))
        self.table.show(
            [(agent.name, (agent.name, agent_state(agent), Text(agent.job, no_wrap=True))) for agent in agents]
        )
        if not self._chosen and agents and not self.table.has_focus:
            newest = max(range(len(agents)), key=lambda index: agents[index].updated_at)
            self.table.move_cursor(row=newest, animate=False)
        models = sorted({agent.model for agent in snapshot.agents})
        self.border_title = f"2 agents  {len(snapshot.agents)}" + (f"  {', '.join(models)}" if models else "")

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        event.stop()
        self._chosen = self._chosen or self.table.has_focus
        self.tail()

    def tail(self) -> None:
        """Take in what the selected agent's log has got since the last look."""
        name = self.table.selected_key
        if name is None:
            return
        log = self.query_one("#agent-log", Log)
        if name != self._followed:
            self._followed, self._offset = name, None
            log.clear()
        piece = read_lines(self._lab.agent_log(name), self._offset, FIRST_BYTES)
        self._offset = piece.offset
        if piece.lines:
            log.write_lines(piece.lines)

    @property
    def agent(self) -> str | None:
        return self.table.selected_key

    @property
    def experiment_id(self) -> int | None:
        agents = self._snapshot.agents if self._snapshot is not None else []
        return next((agent.experiment_id for agent in agents if agent.name == self.agent), None)
