"""Compare: the teams side by side, and below them how reliably the jobs of each role end with each model."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import DescendantFocus, Resize

from orchestrator.comparison import Comparison, comparison_of
from orchestrator.errors import LabError
from orchestrator.store.reader import Reader
from tui.comparing import ROLE_COLUMNS, TEAM_COLUMNS, heading, role_cells, team_cells
from tui.panes.line import OneLine
from tui.panes.rows import Rows
from tui.screens.room import RoomScreen
from tui.tones import Line

PANES = ("compare-teams", "compare-roles")
MOST_TEAM_ROWS = 8


class CompareScreen(RoomScreen):
    """Read once, when it opens, and again with the key that opened it."""

    FOOTER: ClassVar[tuple[str, ...]] = ("back", "compare", "next_pane", "help", "leave")

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader
        self._found: Comparison | None = None

    def compose(self) -> ComposeResult:
        yield OneLine(self._heading, classes="heading")
        with Vertical(id="compare"):
            yield Rows(TEAM_COLUMNS, id="compare-teams", empty="reckoning ...")
            yield Rows(ROLE_COLUMNS, id="compare-roles", empty="No job of an agent has ended yet.")
        yield self.footer()

    async def on_mount(self) -> None:
        self.query_one("#compare-teams", Rows).focus()
        await self._look()

    async def _look(self) -> None:
        try:
            self._found = await asyncio.to_thread(_compared, self._reader)
        except LabError as error:
            self.notify(str(error), title="compare", severity="error", markup=False)
            return
        self._show(self._found)

    def _heading(self, width: int) -> Line:
        return heading(self._found, width)

    def _show(self, found: Comparison) -> None:
        self.query_one(".heading", OneLine).tell()
        teams, roles = (self.query_one(f"#{name}", Rows) for name in PANES)
        teams.empty = "No team has worked here yet."
        teams.refresh()
        teams.show([(one.team, team_cells(one)) for one in found.teams])
        roles.show([(f"{one.team} {one.role} {one.model}", role_cells(one)) for one in found.completions])
        teams.border_title = f"1 teams {len(found.teams)}"
        roles.border_title = "2 jobs completed"
        self._give_room()

    def _give_room(self) -> None:
        rows = len(self._found.teams) if self._found is not None else 0
        self.query_one("#compare-teams", Rows).styles.height = min(max(rows, 1), MOST_TEAM_ROWS) + 3

    def on_resize(self, _: Resize) -> None:
        self._give_room()

    def on_descendant_focus(self, _: DescendantFocus) -> None:
        for name in PANES:
            pane = self.query_one(f"#{name}")
            pane.set_class(pane.has_focus, "current")

    def view(self, name: str, key: str) -> bool:
        teams, roles = (self.query_one(f"#{pane}", Rows) for pane in PANES)
        match name:
            case "back":
                self.dismiss()
            case "compare":
                self.run_worker(self._look(), group="compare", exclusive=True)
            case "next_pane" | "previous_pane":
                (roles if teams.has_focus else teams).focus()
            case "pane" if key in ("1", "2"):
                (teams if key == "1" else roles).focus()
            case "down" | "up" | "first" | "last":
                (teams if teams.has_focus else roles).move(name)
            case _:
                return False
        return True


def _compared(reader: Reader) -> Comparison:
    """In a thread of its own, with a connection of its own: thousands of experiments are a lot to draw from."""

    async def compared() -> Comparison:
        async with Reader(reader.path) as own:
            return await comparison_of(own)

    return asyncio.run(compared())
