"""Every key and command, from the one table of actions; and what the signs mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import Group, RenderableType
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
from tui.screens.dialogs import Ask

WORDS = (
    ("val_bpb", "bits that the model takes for a byte of text it has not seen; less is better"),
    ("loss", "of the training text, in nats a token: 1 nat is 1.44 bits"),
    ("delta", "the difference of val_bpb to the baseline, the master that the patch was made on"),
    ("believed", "what to expect of it by all that the lab has tried: chance flatters the best of many"),
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


def holds(row: Sequence[str], wanted: str) -> bool:
    """Whether every word of `wanted` stands in the row, in whatever case."""
    text = " ".join(row).casefold()
    return all(word in text for word in wanted.casefold().split())


class Help(ModalScreen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,q,question_mark", "back", "back"),
        ("slash", "find", "find"),
        ("j", "down", "down"),
        ("k", "up", "up"),
        ("g", "top", "top"),
        ("G", "bottom", "bottom"),
    ]

    def __init__(self, page: Sequence[str] = ()) -> None:
        """`page`: the actions of the page that it was asked on, which come first."""
        super().__init__()
        self._page = page
        self._wanted = ""

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="window") as scroll:
            scroll.border_title = "help"
            yield Static(id="help")

    def on_mount(self) -> None:
        self._show("")
        self.query_one(VerticalScroll).focus()

    def _show(self, wanted: str) -> None:
        """All of it, or what holds the words that are wanted."""
        self._wanted = wanted.strip()
        scroll = self.query_one(VerticalScroll)
        scroll.border_subtitle = f"/ {self._wanted}  esc all of it" if self._wanted else "/ find  j k move  esc back"
        self.query_one("#help", Static).update(self._found() if self._wanted else self._all())
        scroll.scroll_home(animate=False, immediate=True)

    def _all(self) -> Group:
        dim = self.app.theme_variables["dim"]
        signs = Text("\nStates  ", style=dim)
        words = [*(state_text(state) for state in State), ABLATED, TAKEN_OUT, UNMEASURED]
        signs.append("   ".join(word.replace(" ", "\N{NO-BREAK SPACE}") for word in words))
        more = (
            "\nA command without an ID means the selected experiment. `:results state=discarded delta<0 sort=delta` "
            "filters and sorts: words, `~` and letters of a title, columns with = != < <= > >= ~ (contains). "
        )
        actions = self._table(help_rows(self._page))
        words_of_the_lab = Text("\nWords", style=dim)
        leaving = Text(f"{more}Leaving never stops the lab.", style=dim)
        return Group(actions, signs, words_of_the_lab, self._meanings(WORDS), leaving)

    def _found(self) -> Group:
        rows = [row for row in help_rows() if holds(row, self._wanted)]
        words = [row for row in WORDS if holds(row, self._wanted)]
        parts: list[RenderableType] = [
            *([self._table(rows)] if rows else []),
            *([self._meanings(words)] if words else []),
        ]
        nothing = Text("No key, command or word has that. / finds another, esc shows all of it.")
        return Group(*(parts or [nothing]))

    def _table(self, rows: Sequence[Row]) -> Table:
        colours = self.app.theme_variables
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style=colours["dim"])
        table.add_column("key", no_wrap=True, style=f"bold {colours['strong']}")
        table.add_column("command", no_wrap=True, style=colours["live"])
        table.add_column("what it does")
        for keys, command, what in rows:
            table.add_row(keys, command, what if keys or command else Text(what, style=colours["dim"]))
        return table

    def _meanings(self, words: Sequence[tuple[str, str]]) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_header=False)
        table.add_column("word", no_wrap=True, style=self.app.theme_variables["strong"])
        table.add_column("what it means")
        for word, what in words:
            table.add_row(word, what)
        return table

    def action_back(self) -> None:
        """First from what was found to all of it."""
        if self._wanted:
            self._show("")
        else:
            self.dismiss()

    def action_find(self) -> None:
        before = self._wanted

        def found(wanted: str | None) -> None:
            self._show(before if wanted is None else wanted)

        self.app.push_screen(
            Ask("/", before, "finds keys, commands and words; empty shows all", live=self._show), found
        )

    def action_down(self) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=1, animate=False, immediate=True)

    def action_up(self) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=-1, animate=False, immediate=True)

    def action_top(self) -> None:
        self.query_one(VerticalScroll).scroll_home(animate=False, immediate=True)

    def action_bottom(self) -> None:
        self.query_one(VerticalScroll).scroll_end(animate=False, immediate=True)
