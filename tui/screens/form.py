"""A form over the room: what is typed stays until the lab has taken it, and refusals come back into it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.events import Key, Resize
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Static, TextArea

from orchestrator.actor import who
from orchestrator.errors import LabError
from orchestrator.lab import Lab, daemon_of
from orchestrator.patches.offline import only_offline_workers
from orchestrator.store.reader import Reader
from orchestrator.store.records import Command, Experiment
from tui import drafts
from tui.drafts import Draft
from tui.entry import Entry
from tui.kept_form import KeptForm
from tui.present import plain

ANSWER_SECONDS = 120.0
CHANGE_SECONDS = 0.5
TYPING_SECONDS = 1.0  # after a key somebody is still typing
LOOK_SECONDS = 0.1
MOST_FILE_BYTES = 2**20
AT_IT = "The lab is at it; its answer comes as a notice."
LEFT = "as you left it"
WAITS = "The daemon is not running: the order waits until it is back (S starts it)."


class FormScreen(ModalScreen[str | None]):
    """Dismissed with what came of it, or None when left with esc.

    A subclass says what there is to fill in, and which order that makes.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "back"),
        Binding("ctrl+s", "submit", "hand in", priority=True),
        Binding("ctrl+e", "edit", "edit", priority=True),
        Binding("tab", "app.focus_next", priority=True, show=False),
        Binding("shift+tab", "app.focus_previous", priority=True, show=False),
    ]
    HEADING = ""
    HAND_IN = "Hand in"

    def __init__(self, lab: Lab, reader: Reader, kept: KeptForm, experiment: Experiment | None = None) -> None:
        super().__init__()
        self._lab, self._reader, self._experiment = lab, reader, experiment
        self._kept, self.before = kept, kept.read()  # what was typed when the form was left last, by field
        self.blank: dict[str, str] = {}  # what stands in fields of their own accord
        self.draft: Draft | None = None
        self._busy = False
        self._handed_in: dict[str, str] | None = None  # what the lab is at
        self._at: Widget | None = None  # where the person was
        self._typing_at = -TYPING_SECONDS  # while the lab is at it
        self._change_due: Timer | None = None
        self.offline = False  # whether only the built-in model would make a patch

    # -- what a subclass says

    def fields(self) -> list[tuple[str, Widget]]:
        """(name, input) in their order."""
        raise NotImplementedError

    def order(self, patch: str) -> tuple[str, dict[str, Any]]:
        """The verb and its words; `patch` is empty where there is none. Raises LabError: something is missing."""
        raise NotImplementedError

    def without_patch(self) -> str:
        """What happens where no patch is given."""
        raise NotImplementedError

    # -- the form

    def compose(self) -> ComposeResult:
        with Vertical(classes="form") as form:
            form.border_title = self.HEADING
            form.border_subtitle = f"{LEFT if self._is_back else 'tab next field'}  esc back, nothing is lost"
            for name, widget in self.fields():
                with Horizontal(classes="field"):
                    yield Label(name)
                    yield widget
            with Horizontal(classes="field"):
                yield Label("diff file")
                yield Entry(id="file", placeholder="empty, or the file of a unified diff against master", compact=True)
            yield Static("", id="change", markup=False)
            yield Static("", id="trouble", markup=False)
            with Horizontal(classes="buttons"):
                yield Button(f"{self.HAND_IN} ^s", id="submit", compact=True)
                yield Button("Edit the files ^e", id="edit", compact=True)
                yield Button("Throw away", id="leave", compact=True)

    async def on_mount(self) -> None:
        self.query_one("#file", Input).value = self.before.get("file", "")
        self.offline = await only_offline_workers(self._reader)
        self._tell_change()

    def on_resize(self, event: Resize) -> None:
        """A form that would not fit has fewer empty lines: its buttons stay in sight."""
        self.set_class(event.size.height < 30, "snug")
        self.set_class(event.size.height < 24, "low")
        self.set_class(event.size.height < 17, "least")

    def text(self, name: str) -> str:
        widget = self.query_one(f"#{name}")
        return (
            widget.text if isinstance(widget, TextArea) else widget.value if isinstance(widget, Input) else ""
        ).strip()

    def typed(self) -> dict[str, str]:
        """Everything in the form, for the next time that it is opened."""
        return {widget.id or "": self.text(widget.id or "") for widget in self.query("Input, TextArea")}

    def trouble(self, words: str) -> None:
        self.query_one("#trouble", Static).update(words)

    def on_text_area_changed(self, _: TextArea.Changed) -> None:
        self._soon()

    def _soon(self) -> None:
        """Not at every letter."""
        if self._change_due is None:
            self._change_due = self.set_timer(CHANGE_SECONDS, self._settle)

    def _settle(self) -> None:
        self._change_due = None
        if self.is_current:  # else it has been handed in
            self._kept.keep(self.typed())

    def on_input_changed(self, event: Input.Changed) -> None:
        self._soon()
        if self._handed_in is None:
            self.trouble("")  # it was about what stood there before
        if event.input.id == "file":
            self._tell_change()

    def _tell_change(self) -> None:
        file = self.text("file")
        if file:
            found = Path(file).expanduser().is_file()
            said = f"patch: the diff in {file}" if found else f"there is no file {file} (from {Path.cwd()})"
            if self.draft is not None:
                said += "; what you have edited is kept, and taken when that field is empty"
        elif self.draft is not None:
            try:
                diff = self.draft.diff()
                said = f"patch: {drafts.told(diff)}" if diff else f"nothing is changed yet; {self.without_patch()}"
            except LabError as error:
                said = str(error)
        else:
            said = self.without_patch()
        self.query_one("#change", Static).update(said)

    # -- its buttons

    def on_button_pressed(self, event: Button.Pressed) -> None:
        match event.button.id:
            case "submit":
                self.action_submit()
            case "edit":
                self.action_edit()
            case _ if self._handed_in is None:
                self._throw_away()
            case _:  # the lab has it
                self.action_leave()

    def _throw_away(self) -> None:
        """What was typed and edited here, now and before."""
        if self._change_due is not None:
            self._change_due.stop()
        self._kept.forget()
        drafts.forget(self._lab, self._draft_name)
        self.dismiss(None)

    @property
    def _draft_name(self) -> str:
        return "own" if self._experiment is None else f"experiment-{self._experiment.id}"

    @property
    def _is_back(self) -> bool:
        """Whether it holds what was typed when it was left last."""
        return any(text.strip() != self.blank.get(name, "").strip() for name, text in self.before.items())

    def action_leave(self) -> None:
        """What has been handed in stays with the lab, and its answer comes as a notice."""
        if self._handed_in is None:
            self._kept.keep(self.typed())
            self.dismiss(None)
        else:
            self._kept.forget()
            self.dismiss(AT_IT)

    def action_edit(self) -> None:
        if not self._busy:
            self.run_worker(self._edit(), group="form")

    def action_submit(self) -> None:
        if not self._busy:
            self.app.run_worker(self._submit(), group="form")  # it outlives the form

    async def _edit(self) -> None:
        self._busy = True
        self.trouble("opening the files")
        try:
            if self.draft is None:
                self.draft = await self._begin()
            drafts.edit(self.app, self.draft.files())
            self.trouble("")
        except LabError as error:
            self.trouble(str(error))
        finally:
            self._busy = False
        self._tell_change()

    async def _begin(self) -> Draft:
        master = await self._reader.master()
        if master is None:
            raise LabError("The lab has no master yet.", "Start it once: S.")
        return await asyncio.to_thread(drafts.begin, self._lab, master.commit_id, self._draft_name, self._experiment)

    async def _patch(self) -> str:
        """The diff of the file that is named, else of the draft; empty where there is none."""
        file = self.text("file")
        if file:
            return await asyncio.to_thread(_read_diff, file)
        return self.draft.diff() if self.draft is not None else ""

    async def _submit(self) -> None:
        self._busy = True
        self.trouble("")
        try:
            verb, words = self.order(await self._patch())
            number = await self._reader.post_command(verb, words, who())
            if daemon_of(self._lab) is None:
                self._kept.forget()
                self.dismiss(WAITS)
                return
            self._wait(self.typed())
            answer = await self._reader.answer(number, ANSWER_SECONDS)
            await self._answered(answer)
        except LabError as error:
            self._refused(str(error))
        finally:
            self._busy = False

    def _wait(self, typed: dict[str, str]) -> None:
        """Until the answer nothing is typed: it would be about something else."""
        self._handed_in, self._at = typed, self.focused
        for widget in self.query("Input, TextArea, Button"):
            widget.disabled = widget.id != "leave"
        self.trouble("the lab is at it; esc leaves, and its answer comes as a notice")

    async def _answered(self, answer: Command) -> None:
        match answer.state:
            case "done":
                self._kept.forget()
                if self.draft is not None:
                    self.draft.discard()
                told = await self.done(plain(answer.answer))
                await self._let_finish()
                self.dismiss(told) if self.is_attached else self.app.notify(told, markup=False)
            case "refused":
                self._refused(plain(answer.answer))
            case _:
                self._refused("The daemon has not answered yet; the order stays with it.")

    async def _let_finish(self) -> None:
        """Who goes on typing meanwhile does not see the form close: what they type is no order to the room below."""
        while self.is_attached and time.monotonic() - self._typing_at < TYPING_SECONDS:
            await asyncio.sleep(LOOK_SECONDS)

    def on_key(self, _: Key) -> None:
        if self._handed_in is not None:
            self._typing_at = time.monotonic()

    def _refused(self, why: str) -> None:
        """Into the form; where it was left, as a notice, and what was typed is there the next time."""
        typed, self._handed_in = self._handed_in, None
        if not self.is_attached:
            self._kept.keep(typed or {})
            self.app.notify(why, title=self.HAND_IN, severity="warning", timeout=15, markup=False)
            return
        for widget in self.query("Input, TextArea, Button"):
            widget.disabled = False
        if self._at is not None:
            self._at.focus()
        self.trouble(why)

    async def done(self, answer: str) -> str:
        """The notice about an order that was carried out."""
        return answer


def _read_diff(name: str) -> str:
    """A person's own file. Raises LabError."""
    try:
        with Path(name).expanduser().open("rb") as file:
            content = file.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise LabError(f"{name} cannot be read ({error.strerror}).", "Name a file with a unified diff.") from error
    if len(content) > MOST_FILE_BYTES or not content.strip():
        raise LabError(
            f"{name} is {'empty' if not content.strip() else 'too long'}.", "Name a file with a unified diff."
        )
    return content.decode("utf-8", errors="replace")
