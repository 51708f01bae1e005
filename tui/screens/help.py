"""Every key and command, from the one table of actions."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from orchestrator.actions import ACTIONS, Action
from tui.keys import shown


def help_rows() -> list[tuple[str, str, str]]:
    """(keys, command, what it does) of every action."""
    return [(" ".join(shown(key) for key in _short(action)), _command(action), action.help) for action in ACTIONS]


def _short(action: Action) -> tuple[str, ...]:
    return ("1..9",) if action.name == "pane" else action.keys


def _command(action: Action) -> str:
    if action.verb is None:
        return ""
    takes = {"id": " ID", "id?": " [ID]", "id value": " ID N", "text": " AGENT TEXT"}.get(action.takes, "")
    return f"{action.verb}{takes}"


class Help(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [("escape,q,question_mark", "dismiss", "back")]

    def compose(self) -> ComposeResult:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("key", no_wrap=True, style="cyan")
        table.add_column("command", no_wrap=True)
        table.add_column("what it does")
        for keys, command, what in help_rows():
            table.add_row(keys, command, what)
        states = Text("\nLeaving never stops the lab. Commands are those of the `autolab` command line.", style="dim")
        with VerticalScroll(classes="window") as scroll:
            scroll.border_title = "help"
            scroll.border_subtitle = "esc: back"
            yield Static(table)
            yield Static(states)
