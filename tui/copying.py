"""`y`: the id, the path or the patch of what is selected, into the clipboard and into a file; again takes the next."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import Any

from textual.app import App

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.store.reader import Reader
from tui.clipboard import osc52
from tui.own_files import shortened, state_directory, write_whole
from tui.screens.room import RoomScreen
from tui.terminal import now

AGAIN_SECONDS = 4.0
"""Within these a second `y` on the same row means the next thing of it."""


@dataclass(frozen=True, slots=True)
class Copy:
    """Something that can be copied: its name, as the notice says it, and its text."""

    name: str
    text: str


class Copying:
    """Copies for one room; remembers what it has copied last, for the second press."""

    def __init__(self, app: App[Any], lab: Lab, reader: Reader) -> None:
        self._app = app
        self._lab = lab
        self._reader = reader
        self._of: object = None  # what the last press meant
        self._number = 0
        self._at = 0.0

    def copy(self, screen: RoomScreen) -> None:
        self._app.run_worker(self._copy(screen), group="copying", exclusive=True)

    async def _copy(self, screen: RoomScreen) -> None:
        meant = (id(screen), screen.experiment_id, screen.run_id, screen.agent, screen.shows_patch)
        again = meant == self._of and now() - self._at < AGAIN_SECONDS
        self._of, self._at, self._number = meant, now(), self._number + 1 if again else 0
        try:
            offered = await self._offered(screen)
        except LabError as error:
            self._app.notify(str(error), severity="warning", markup=False)
            return
        if not offered:
            self._app.notify("Nothing is selected that could be copied: go to a row first.")
            return
        this, after = (offered[(self._number + step) % len(offered)] for step in (0, 1))
        self._app.notify(self._hand_out(this) + (f"; y again: {after.name}" if len(offered) > 1 else ""), markup=False)

    async def _offered(self, screen: RoomScreen) -> list[Copy]:
        """What there is to copy here, the most likely first."""
        offered = [Copy("the log's path", str(screen.path))] if screen.path is not None else []
        experiment_id = screen.experiment_id
        experiment = None if experiment_id is None else await self._reader.experiment(experiment_id)
        if experiment is None:
            return offered
        offered.append(Copy(f"id {experiment.id}", str(experiment.id)))
        runs = await self._reader.runs_of(experiment.id)
        run_id = screen.run_id or (runs[-1].id if runs else None)
        if run_id is not None:
            offered.append(Copy(f"the path of run {run_id}", str(self._lab.run_directory(run_id))))
        diff = experiment.patch or ""
        if experiment.parent is not None and experiment.commit_id is not None:
            from orchestrator.branches import Repository  # takes a while, and the first screen needs none

            repository = Repository(self._lab.root)
            diff = await asyncio.to_thread(repository.diff, experiment.parent, experiment.commit_id)
        if diff.strip():
            offered.insert(0 if screen.shows_patch else len(offered), Copy(f"the diff of {experiment.id}", diff))
        return offered

    def _hand_out(self, this: Copy) -> str:
        """Give it to the terminal and to the file; the sentence that says so."""
        sequence = osc52(this.text, os.environ)
        driver = self._app._driver
        if sequence is not None and driver is not None:
            driver.write(sequence)
        path = state_directory() / "copied"
        try:
            write_whole(path, this.text)
        except OSError as error:
            place = f"no file beside it ({error.strerror})"
        else:
            place = f"also in {shortened(path)}"
        if sequence is None:
            place = f"{len(this.text):,} characters are too many for a terminal, {place.removeprefix('also ')}"
        return f"copied {this.name}; {place}"
