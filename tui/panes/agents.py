"""Pane 2, the agents: who does what, and the live log of the selected one."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Rule

from orchestrator.lab import Lab
from orchestrator.runs.log_text import read_lines
from orchestrator.store.agents import AgentRow
from tui.panes.rows import Rows
from tui.panes.tail import Tail
from tui.speakers import AGENT_COLUMNS, about, agent_cells, at_rest, busiest
from tui.watch import Snapshot

FIRST_BYTES = 32 * 1024
ROLES = ("researcher", "planner", "worker", "reviewer", "reporter", "solo")
"""As in orchestrator.team_settings, whose reading of files the first screen does not wait for."""


def by_role(agent: AgentRow) -> tuple[str, int, str]:
    """Team by team, the roles in the order in which an idea passes through them."""
    return agent.team, (ROLES.index(agent.role) if agent.role in ROLES else len(ROLES)), agent.name


class Agents(Vertical):
    """A row per agent; below it the log, followed as it grows."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(id="agents")
        self.heading = "2 agents"
        self.subheading = ""
        self._lab = lab
        self._followed: str | None = None
        self._offset: int | None = None
        self._chosen = False  # until the person picks one, the log is that of whoever was busy last
        self._agents: list[AgentRow] = []

    def compose(self) -> ComposeResult:
        yield Rows(AGENT_COLUMNS, id="agent-table", empty="the team comes with the daemon", head=False)
        yield Rule(id="agent-rule")
        yield Tail(id="agent-log", wrap=True)

    @property
    def table(self) -> Rows:
        return self.query_one("#agent-table", Rows)

    @property
    def _entered(self) -> bool:
        """Whether the person is in this pane: also behind a question, and while the terminal has lost the focus."""
        return self.has_class("current")

    def take(self, snapshot: Snapshot) -> None:
        self._agents = sorted(
            map(at_rest, snapshot.agents) if snapshot.daemon is None else snapshot.agents, key=by_role
        )
        self._give_room()
        self.table.show([(agent.name, agent_cells(agent)) for agent in self._agents])
        if not self._chosen and self._agents and not self._entered:
            self.table.follow(busiest(self._agents, self._followed).name)
        held = sum(bool(agent.paused_by) for agent in self._agents)
        self.heading = f"2 agents {len(self._agents)}" + (f"  {held} paused" if held else "")
        self._tell_about()
        self.tail()

    def _tell_about(self) -> None:
        chosen = next((agent for agent in self._agents if agent.name == self.agent), None)
        self.subheading = "" if chosen is None else f"{chosen.name}: {about(chosen)}"

    def next_agent(self) -> None:
        """The one below the selected one, or the first again."""
        table = self.table
        table.move_to((table.cursor + 1) % max(1, table.row_count))

    def on_resize(self) -> None:
        self._give_room()

    def _give_room(self) -> None:
        """A line for each agent, but at most half of the pane."""
        self.table.styles.height = max(1, min(len(self._agents), max(2, (self.size.height - 1) // 2)))

    def on_rows_moved(self, event: Rows.Moved) -> None:
        self._chosen = self._chosen or self._entered
        self._tell_about()
        self.tail()

    def tail(self) -> None:
        """Take in what the selected agent's log has got since the last look."""
        name = self.agent
        if name is None or not self.display:
            return
        log = self.query_one("#agent-log", Tail)
        if name != self._followed:
            self._followed, self._offset = name, None
            log.clear()
            log.follows = True
        piece = read_lines(self._lab.agent_log(name), self._offset, FIRST_BYTES)
        self._offset = piece.offset
        log.add(piece.lines)

    @property
    def agent(self) -> str | None:
        return self.table.selected_key

    @property
    def experiment_id(self) -> int | None:
        return next((agent.experiment_id for agent in self._agents if agent.name == self.agent), None)
