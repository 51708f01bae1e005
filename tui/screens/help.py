"""Every key and command, from the one table of actions; and what the signs mean."""

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
from orchestrator.store.states import State
from tui.keys import shown
from tui.present import UNMEASURED, state_text


def help_rows() -> list[tuple[str, str, str]]:
    """(keys, command, what it does) of every action."""
    return [(" ".join(shown(key) for key in _short(action)), _command(action), action.help) for action in ACTIONS]


def _short(action: Action) -> tuple[str, ...]:
    return ("0..9",) if action.name == "pane" else action.keys


def _command(action: Action) -> str:
    if action.verb is None:
        return ""
    takes = {
        "id": " ID",
        "id or agent?": " [ID | AGENT]",
        "id value": " ID N",
        "id base": " ID BASE",
        "text": " AGENT TEXT",
        "key value": " KEY VALUE",
        "paper": " [ID]",
    }.get(action.takes, "")
    return f":{action.verb}{takes}"


class Help(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q,question_mark", "dismiss", "back"),
        ("j", "down", "down"),
        ("k", "up", "up"),
        ("g", "top", "top"),
        ("G", "bottom", "bottom"),
    ]

    def compose(self) -> ComposeResult:
        colours = self.app.theme_variables
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style=colours["dim"])
        table.add_column("key", no_wrap=True, style=f"bold {colours['strong']}")
        table.add_column("command", no_wrap=True, style=colours["live"])
        table.add_column("what it does")
        for keys, command, what in help_rows():
            table.add_row(keys, command, what)
        signs = Text("\nStates  ", style=colours["dim"])
        words = [*(state_text(state) for state in State), UNMEASURED]
        signs.append("   ".join(word.replace(" ", "\N{NO-BREAK SPACE}") for word in words))
        more = (
            "\nA command without an ID means the selected experiment. `:results state=discarded delta<0 sort=delta` "
            "filters and sorts: words, `~` and letters of a title, columns with = != < <= > >= ~ (contains). "
            "val_bpb is in bits a byte of text, a loss in nats a token (1 nat is 1.44 bits); delta is against the "
            "baseline, believed what chance leaves of it. "
        )
        with VerticalScroll(classes="window") as scroll:
            scroll.border_title = "help"
            scroll.border_subtitle = "j k move  esc back"
            yield Static(table)
            yield Static(signs)
            yield Static(Text(f"{more}Leaving never stops the lab.", style=colours["dim"]))

    def on_mount(self) -> None:
        self.query_one(VerticalScroll).focus()

    def action_down(self) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=1, animate=False, immediate=True)

    def action_up(self) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=-1, animate=False, immediate=True)

    def action_top(self) -> None:
        self.query_one(VerticalScroll).scroll_home(animate=False, immediate=True)

    def action_bottom(self) -> None:
        self.query_one(VerticalScroll).scroll_end(animate=False, immediate=True)
