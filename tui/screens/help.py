"""Every key and command, from the one table of actions; and what the signs mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from orchestrator.actions import ACTIONS, BY_NAME, Action
from orchestrator.store.states import State
from tui.commands import usage
from tui.keys import shown
from tui.present import ABLATED, TAKEN_OUT, UNMEASURED, state_text

WORDS = (
    ("val_bpb", "bits that the model takes for a byte of text it has not seen; less is better"),
    ("loss", "of the training text, in nats a token: 1 nat is 1.44 bits"),
    ("delta", "the difference of val_bpb to the baseline, the master that the patch was made on"),
    ("believed", "what is left of it after the best of many was picked: chance flatters the best"),
    ("noise, ±", "how far runs of the same program lie apart; ± is the error of a mean"),
    ("patches ahead", "patches that stand before this one in the queue for a slot"),
    ("early stopping", "how far a loss is behind the baseline's, of how far it may be; beyond it is condemned"),
    (
        "condemned",
        "a run that can no longer catch up: it is stopped, but for a tenth that shows if that was right",
    ),
    ("vault", "a third text, on which wins are scored once more; agents never hear of it"),
)


Row = tuple[str, str, str]
"""(keys, command, what it does)"""


def help_rows(page: Sequence[str] = ()) -> list[Row]:
    """Of every action; before them those of a `page`, by their names."""
    everything = [_row(action) for action in ACTIONS]
    if not page:
        return everything
    return [("", "", "on this page"), *(_row(BY_NAME[name]) for name in page), ("", "", "\neverywhere"), *everything]


def _row(action: Action) -> Row:
    return " ".join(shown(key) for key in _short(action)), usage(action), action.help


def _short(action: Action) -> tuple[str, ...]:
    return ("0..9",) if action.name == "pane" else action.keys


class Help(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q,question_mark", "dismiss", "back"),
        ("j", "down", "down"),
        ("k", "up", "up"),
        ("g", "top", "top"),
        ("G", "bottom", "bottom"),
    ]

    def __init__(self, page: Sequence[str] = ()) -> None:
        """`page`: the actions of the page that it was asked on, which come first."""
        super().__init__()
        self._page = page

    def compose(self) -> ComposeResult:
        colours = self.app.theme_variables
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style=colours["dim"])
        table.add_column("key", no_wrap=True, style=f"bold {colours['strong']}")
        table.add_column("command", no_wrap=True, style=colours["live"])
        table.add_column("what it does")
        for keys, command, what in help_rows(self._page):
            table.add_row(keys, command, what if keys or command else Text(what, style=colours["dim"]))
        signs = Text("\nStates  ", style=colours["dim"])
        words = [*(state_text(state) for state in State), ABLATED, TAKEN_OUT, UNMEASURED]
        signs.append("   ".join(word.replace(" ", "\N{NO-BREAK SPACE}") for word in words))
        more = (
            "\nA command without an ID means the selected experiment. `:results state=discarded delta<0 sort=delta` "
            "filters and sorts: words, `~` and letters of a title, columns with = != < <= > >= ~ (contains). "
        )
        meant = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_header=False)
        meant.add_column("word", no_wrap=True, style=colours["strong"])
        meant.add_column("what it means")
        for word, what in WORDS:
            meant.add_row(word, what)
        with VerticalScroll(classes="window") as scroll:
            scroll.border_title = "help"
            scroll.border_subtitle = "j k move  esc back"
            yield Static(table)
            yield Static(signs)
            yield Static(Text("\nWords", style=colours["dim"]))
            yield Static(meant)
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
