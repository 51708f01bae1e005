"""`a` and `R`: an experiment of one's own, and another attempt of one with a change."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import Any

from textual.widget import Widget
from textual.widgets import TextArea

from orchestrator.errors import LabError
from orchestrator.given import priority
from orchestrator.lab import Lab, daemon_of
from orchestrator.patches.offline import OFFLINE_WORKERS
from orchestrator.patches.submitting import PERSON_PRIORITY, caution
from orchestrator.store.reader import Reader
from orchestrator.store.records import Experiment
from orchestrator.store.states import EDITABLE
from tui.entry import Entry
from tui.kept_form import KeptForm
from tui.present import plain
from tui.screens.form import FormScreen

NO_PATCH = "no patch: a worker makes one from the hypothesis"


def _area(text: str, name: str) -> TextArea:
    return TextArea(text, id=name, soft_wrap=True, show_line_numbers=False, tab_behavior="focus", compact=True)


class AddForm(FormScreen):
    """Three ways for the change: edit the files, name a diff, or leave it to a worker."""

    HEADING = "an experiment of your own"
    HAND_IN = "Queue it"

    def __init__(self, lab: Lab, reader: Reader) -> None:
        super().__init__(lab, reader, KeptForm(lab))
        self.blank = {"priority": str(PERSON_PRIORITY)}

    def fields(self) -> list[tuple[str, Widget]]:
        def line(name: str, value: str = "", hint: str = "") -> Entry:
            return Entry(self.before.get(name, value), id=name, placeholder=hint, compact=True)

        return [
            ("title", line("title", hint="one change, in a few words")),
            ("hypothesis", _area(self.before.get("hypothesis", ""), "hypothesis")),
            ("source", line("source", hint="a paper, a result; empty: you")),
            ("priority", line("priority", str(PERSON_PRIORITY))),
        ]

    def without_patch(self) -> str:
        return NO_PATCH + (f", but {OFFLINE_WORKERS}" if self.offline else "")

    def order(self, patch: str) -> tuple[str, dict[str, Any]]:
        for name in ("title", "hypothesis"):
            if not self.text(name):
                raise LabError(f"The experiment has no {name}.", "Give it one.")
        words: dict[str, Any] = {
            "title": self.text("title"),
            "hypothesis": self.text("hypothesis"),
            "priority": priority(self.text("priority") or PERSON_PRIORITY),
        }
        if self.text("source"):
            words["source"] = self.text("source")
        if patch:
            # With nobody there to hear of a refusal, the refused patch becomes an experiment that says why.
            words |= {"patch": patch, "strict": daemon_of(self._lab) is not None}
        return "add", words

    async def done(self, answer: str) -> str:
        warning = ""
        with suppress(LabError):  # it is queued all the same
            experiment = await self._reader.experiment(int(answer))
            warning = caution(experiment.reason) if experiment is not None else ""
        return f"experiment {answer} is queued{warning}; z takes it back while it waits"


class EditForm(FormScreen):
    """The patch or the hypothesis of an experiment, changed; then it is queued as a new attempt, or goes on waiting."""

    def __init__(self, lab: Lab, reader: Reader, experiment: Experiment) -> None:
        words = f"{experiment.title}\n{experiment.hypothesis}"  # where they changed meanwhile, an edit of them is old
        kept = KeptForm(lab, f"experiment {experiment.id} {hashlib.sha256(words.encode()).hexdigest()[:16]}")
        super().__init__(lab, reader, kept, experiment)
        self._edited = experiment
        self.blank = {"title": experiment.title, "hypothesis": experiment.hypothesis}
        waits = experiment.state in EDITABLE
        what = f"{experiment.label}, while it waits:" if waits else f"another attempt of {experiment.label} "
        self.HEADING, self.HAND_IN = f"{what} {plain(experiment.title)}", "Change it" if waits else "Requeue it"

    def fields(self) -> list[tuple[str, Widget]]:
        title = self.before.get("title", self._edited.title)
        words = _area(self.before.get("hypothesis", self._edited.hypothesis), "hypothesis")
        words.move_cursor(words.document.end)
        return [
            ("title", Entry(title, id="title", compact=True, select_on_focus=False)),
            ("hypothesis", words),
        ]

    def without_patch(self) -> str:
        if self._edited.commit_id is None:
            return f"there is {NO_PATCH}" + (f", but {OFFLINE_WORKERS}" if self.offline else "")
        if self._edited.patch is not None:
            return "the patch, a person's own, stays whatever the words are"
        return "the patch stays; with another hypothesis a worker makes it anew"

    def order(self, patch: str) -> tuple[str, dict[str, Any]]:
        words: dict[str, Any] = {"id": self._edited.id}
        for name, before in (("title", self._edited.title), ("hypothesis", self._edited.hypothesis)):
            if not self.text(name):
                raise LabError(f"The experiment has no {name}.", "Give it one.")
            if self.text(name) != before.strip():
                words[name] = self.text(name)
        if patch:
            words["patch"] = patch
        elif self.draft is not None:
            raise LabError(
                "The edited files are those of master: nothing would be tried.", "Edit them, or throw them away."
            )
        if len(words) == 1:
            waits = self._edited.state in EDITABLE
            other = "esc leaves it as it is." if waits else "r requeues it as it is."
            raise LabError("Nothing is changed.", f"Edit the files or the words; {other}")
        return "requeue", words
