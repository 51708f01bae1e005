"""Making a lab where there is none: the data is prepared behind a progress bar, then the daemon starts."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import Screen
from textual.widgets import ProgressBar, Static

from orchestrator.lab import Lab, daemon_of


class Setup(Screen[str]):
    """Dismissed with "" when the lab is at work, else with the sentence that says why not."""

    BINDINGS: ClassVar[list[BindingType]] = [("q,ctrl+c", "leave", "leave")]

    def __init__(self, lab: Lab) -> None:
        super().__init__()
        self._lab = lab

    def compose(self) -> ComposeResult:
        with Vertical(classes="window"):
            yield Static("A new lab" if not self._lab.exists else "Opening the lab", classes="heading")
            yield Static(Text(str(self._lab.root)), classes="hint")
            yield Static("", id="stage")
            yield ProgressBar(id="progress", show_eta=False)
            yield Static("q leaves", classes="hint")

    def on_mount(self) -> None:
        self.run_worker(self._work(), exclusive=True)

    def action_leave(self) -> None:
        self.app.exit()

    async def _work(self) -> None:
        problem = ""
        if not self._lab.exists:
            problem = await self._make()
        if not problem and daemon_of(self._lab) is None:
            self._show("starting the daemon", 0, 0)
            problem = await self._start()
        self.dismiss(problem)

    def _show(self, stage: str, done: int, total: int) -> None:
        self.query_one("#stage", Static).update(Text(stage))
        self.query_one("#progress", ProgressBar).update(total=total or None, progress=done)

    async def _make(self) -> str:
        """Run `autolab init` and follow it; returns what went wrong."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orchestrator.cli.main", "init", str(self._lab.root), "--progress-json"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None and process.stderr is not None
        problem = ""
        async for line in process.stdout:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if "error" in said:
                problem = f"{said['error']} {said.get('remedy', '')}".strip()
            elif "stage" in said:
                self._show(str(said["stage"]), int(said["done"]), int(said["total"]))
        errors = (await process.stderr.read()).decode(errors="replace").strip()
        if await process.wait() != 0 and not problem:
            problem = errors.splitlines()[-1] if errors else "The lab could not be made."
        return problem

    async def _start(self) -> str:
        """Run `autolab start`; returns what went wrong."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orchestrator.cli.main", "start", str(self._lab.root)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, errors = await process.communicate()
        if process.returncode == 0:
            return ""
        text = errors.decode(errors="replace").strip().splitlines()
        return text[-1].removeprefix("autolab: ") if text else "The daemon could not be started."
