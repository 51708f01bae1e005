"""Looking: the pages that a key or a word opens, those that open by themselves, and a patch written to a file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from textual.app import App

from orchestrator.actions import Action
from orchestrator.actor import who
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.runs.log_text import inert
from orchestrator.store.reader import Reader
from orchestrator.store.records import seconds_since, utc_now
from tui.screens.dashboard import Dashboard
from tui.screens.text import LinesScreen, LogScreen
from tui.steering import run_autolab
from tui.typed_ahead import OPENS
from tui.visits import BREAK_SECONDS, Visits, night_before, was_away

NOTE_SECONDS = 60.0


class Pages:
    """Knows when this person was here last, before now."""

    def __init__(self, app: App[Any], lab: Lab, reader: Reader, *, keep: bool = True) -> None:
        """`keep`: whether the visit is written down."""
        self._app = app
        self._lab = lab
        self._reader = reader
        self._visits = Visits(lab, who(), keep=keep)
        self.looked: str | None = None  # what changed is counted from here; None: never here before
        self._last: str | None = None
        self._noted = -NOTE_SECONDS

    @classmethod
    def opened(cls, app: App[Any], lab: Lab, reader: Reader, *, keep: bool = True) -> Pages:
        """The person has come."""
        pages = cls(app, lab, reader, keep=keep)
        pages.here()
        return pages

    def here(self) -> None:
        """The person does something; one who was away for long is told what happened."""
        now = time.monotonic()
        if now - self._noted < NOTE_SECONDS:
            return
        self._noted = now
        last = self._visits.last()
        self._visits.note()
        if self.looked is None or (last is not None and seconds_since(last) > BREAK_SECONDS):
            self.looked = last
        if was_away(last):
            self._last = last
            self._app.run_worker(self._greet(), group="morning")

    async def _greet(self) -> None:
        from orchestrator.review.morning import morning_of  # brings git, as the others here do

        assert self._last is not None
        try:
            eventful = (await morning_of(self._reader, self._last)).eventful
        except LabError:
            return  # the dashboard tells what is wrong with the store
        if eventful and isinstance(self._app.screen, Dashboard):  # never over a question that waits for its answer
            self._morning(self._last)

    def open(self, action: Action, arguments: dict[str, Any]) -> None:
        """What the action table calls so; a verb that has no screen of its own shows what the command line prints."""
        match action.name:
            case "diff" | "show":
                self.experiment(int(arguments["id"]), at_diff=action.name == "diff")
            case "log":
                self._app.run_worker(self._log(int(arguments["id"]), arguments.get("run")), name=OPENS)
            case "review":
                from tui.screens.review import ReviewScreen  # brings git and the lexer

                self._app.push_screen(ReviewScreen(self._lab, self._reader))
            case "compare":
                from tui.screens.compare import CompareScreen  # brings numpy

                self._app.push_screen(CompareScreen(self._reader))
            case "morning":
                self._morning(self._since(arguments.get("words", ())))
            case "events":
                self.changes()
            case "patch":
                self._app.run_worker(self._write_patch(int(arguments["id"])), group="patch")
            case _:
                assert action.verb is not None
                words = arguments.get("words", ())
                screen = LinesScreen(" ".join(("autolab", action.verb, *words)), None)
                self._app.push_screen(screen)
                self._app.run_worker(self._print(screen, action.verb, words), group="printed")

    def experiment(self, experiment_id: int, *, at_diff: bool = False) -> None:
        from tui.screens.experiment import ExperimentScreen  # brings git and the lexer

        self._app.push_screen(ExperimentScreen(self._lab, self._reader, experiment_id, at_diff))

    def transcript(self, agent: str) -> None:
        from tui.screens.transcript import TranscriptScreen

        self._app.push_screen(TranscriptScreen(self._lab, self._reader, agent))

    def changes(self) -> None:
        """What is new since the person looked last, and what was before; it has been looked at then."""
        from tui.screens.changes import ChangesScreen

        self._app.push_screen(ChangesScreen(self._lab, self._reader, self.looked or ""))
        self.looked = utc_now()

    async def _log(self, experiment_id: int, run_id: int | None) -> None:
        """The log of that run, else of the experiment's newest."""
        runs = [run for run in await self._reader.runs_of(experiment_id) if run_id in (None, run.id)]
        if not runs:
            self._app.notify(f"Experiment {experiment_id} has not run yet: there is no log.")
            return
        run = runs[-1]
        title = f"log of run {run.id}, experiment {experiment_id}, seed {run.seed} on {run.slot}"
        self._app.push_screen(LogScreen(title, self._lab.run_directory(run.id) / "log", experiment_id, run.id))

    async def _print(self, screen: LinesScreen, verb: str, words: Sequence[str]) -> None:
        """What the command line prints, on a screen that stands there already: nothing opens over what comes next."""
        _, said, errors = await run_autolab(verb, *words, str(self._lab.root))
        if screen.is_attached:
            screen.take(inert(said + errors).splitlines())

    def _since(self, words: Sequence[str]) -> str:
        """`:morning 24` goes back so many hours; else to the visit before, or over a night."""
        now = utc_now()
        try:
            hours = float(words[0]) if words else 0.0
        except ValueError:
            hours = 0.0
        if 0 < hours < 10**5:
            then = datetime.fromisoformat(now) - timedelta(hours=hours)
            return then.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self._last or night_before(now)

    def _morning(self, since: str) -> None:
        from tui.screens.morning import MorningScreen

        self._app.push_screen(MorningScreen(self._lab, self._reader, since))

    async def _write_patch(self, experiment_id: int) -> None:
        from orchestrator.review.exporting import write_patch
        from orchestrator.review.wins import require_patch

        try:
            experiment = await require_patch(self._reader, experiment_id)
            path = await asyncio.to_thread(write_patch, self._lab, experiment)
        except LabError as error:
            self._app.notify(str(error), title="patch", severity="error", markup=False)
            return
        self._app.notify(f"written to\n{path}", title="patch", markup=False)
