"""Small windows over the room: a question with Cancel in front, and a line to type in."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widgets import Button, Input, Label

from tui.entry import Entry, WordsEntry, without_signs
from tui.screens.typing import TypingScreen
from tui.typed_before import TypedBefore

LIVE_SECONDS = 0.3
UP = "up brings back what was written before, or left with esc"


class Confirm(ModalScreen[bool]):
    """Asks before something is lost; the focus is on Cancel."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "dismiss(False)", "cancel"),
        ("n", "dismiss(False)", "no"),
        ("y", "dismiss(True)", "yes"),
    ]

    def __init__(self, question: str, yes: str, about: str = "") -> None:
        super().__init__()
        self._question = question
        self._yes = yes
        self._about = about

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._question, markup=False)
            if self._about:
                yield Label(self._about, classes="hint", markup=False)
            with Horizontal():
                yield Button("Cancel", id="cancel", compact=True)
                yield Button(self._yes, id="yes", variant="error", compact=True)
            yield Label("arrows choose, enter confirms, esc cancels", classes="hint")

    def on_mount(self) -> None:
        self.query_one("#cancel", Button).focus()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def key_left(self) -> None:
        self.focus_previous()

    def key_right(self) -> None:
        self.focus_next()


class Told(ModalScreen[None]):
    """Words that are too many for a line of a table, whole."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,enter,q", "dismiss", "back")]

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._words, markup=False)
            yield Label("esc back", classes="hint")


class Ask(ModalScreen[str | None]):
    """One line of input at the bottom of the screen; None when left with esc."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss(None)", "cancel")]

    def __init__(
        self,
        prompt: str,
        value: str = "",
        hint: str = "",
        wrong: Callable[[str], str | None] | None = None,
        live: Callable[[str], None] | None = None,
    ) -> None:
        """`wrong` says what is the matter with a line: it stays then, to be mended. `live` is told of a line that is
        right whenever nothing was typed for a moment."""
        super().__init__()
        self._prompt = prompt
        self._value = self._told = value
        self._hint = hint
        self._wrong = wrong
        self._live = live
        self._due: Timer | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="ask"):
            with Horizontal():
                yield Label(self._prompt, markup=False)
                yield Entry(self._value, compact=True, select_on_focus=False)
            if self._hint or self._wrong is not None:
                yield Label(self._hint, classes="hint", markup=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        trouble = self._wrong(event.value) if self._wrong is not None else None
        if trouble is None:
            self.dismiss(event.value)
        else:
            hint = self.query_one(".hint", Label)
            hint.update(trouble)
            hint.add_class("wrong")

    def on_input_changed(self, _: Input.Changed) -> None:
        if self._due is not None:
            self._due.stop()
        if self._live is not None:
            self._due = self.set_timer(LIVE_SECONDS, self._tell)
        for hint in self.query(".wrong").results(Label):
            hint.remove_class("wrong")
            hint.update(self._hint)

    def _tell(self) -> None:
        line = self.query_one(Input).value
        if self._live is not None and line != self._told and (self._wrong is None or self._wrong(line) is None):
            self._told = line
            self._live(line)


class Write(TypingScreen):
    """Words to somebody, with what was written before under up and down; None when left with esc.

    Lines that are pasted stay lines.
    """

    BINDINGS: ClassVar[list[BindingType]] = [("escape", "leave", "cancel")]

    def __init__(self, prompt: str, hint: str, before: TypedBefore) -> None:
        super().__init__(before)
        self._prompt, self._hint = prompt, hint
        self._history = before.history()

    def compose(self) -> ComposeResult:
        with Vertical(classes="ask"):
            with Horizontal():
                yield Label(self._prompt, markup=False)
                yield WordsEntry(compact=True, select_on_focus=False)
            yield Label(f"{self._hint}; {UP}", classes="hint", markup=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        self.keep(event.value.strip())

    def action_history(self, by: int) -> None:
        entry = self.query_one(Input)
        entry.value = self._history.step(by, entry.value)
        entry.cursor_position = len(entry.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.give(event.value.strip())
        self.dismiss(without_signs(event.value))

    def action_leave(self) -> None:
        self.leave(self.query_one(Input).value.strip())
