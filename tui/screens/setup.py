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
from textual.widgets import Static

from orchestrator.lab import Lab, daemon_of
from orchestrator.neighbours import labs_at_work, told
from tui.paced import PacedScreen
from tui.panes.line import OneLine
from tui.present import bar, plain
from tui.steering import run_autolab, tell_of_warnings
from tui.tones import Line, Said, Tone


class Setup(PacedScreen[str]):
    """Dismissed with "" when the lab is at work, else with the sentence that says why not."""

    BINDINGS: ClassVar[list[BindingType]] = [("q,ctrl+c", "leave", "leave")]

    def __init__(self, lab: Lab) -> None:
        super().__init__()
        self._lab = lab
        self._share: float | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="window"):
            yield Static(Text("A new lab" if not self._lab.exists else "Opening the lab", style="bold"))
            yield Static(Text(plain(str(self._lab.root))), classes="hint")
            yield Static("", id="others", markup=False)
            yield Static("looking at this machine" if not self._lab.exists else "", id="stage")
            yield OneLine(self._bar, classes="bar")
            yield Static("q leaves", classes="hint")

    def on_mount(self) -> None:
        self.run_worker(self._work(), exclusive=True)

    def action_leave(self) -> None:
        self.app.exit()

    async def _work(self) -> None:
        problem = ""
        others = told(await asyncio.to_thread(labs_at_work, self._lab))
        if others:
            self.query_one("#others", Static).update(f"! {others}")
        if not self._lab.exists:
            problem = await self._make()
        if not problem and daemon_of(self._lab) is None:
            self._show("starting the daemon", 0, 0)
            problem = await self._start()
        self.dismiss(problem)

    def _show(self, stage: str, done: int, total: int) -> None:
        self.query_one("#stage", Static).update(Text(plain(stage)))
        self._share = done / total if total else None
        self.query_one(OneLine).tell()

    def _bar(self, width: int) -> Line:
        """How far the stage is; nothing while that is not known."""
        if self._share is None:
            return [Said("")]
        done = bar(self._share, width - 6)
        heavy = done.rstrip("─")
        return [Said(heavy, Tone.LIVE), Said(done[len(heavy) :], Tone.DIM), Said(f"  {self._share:>4.0%}")]

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
        status, _, errors = await run_autolab("start", str(self._lab.root))
        if status == 0:
            tell_of_warnings(self.app, errors)
            return ""
        text = errors.strip().splitlines()
        return text[-1].removeprefix("autolab: ") if text else "The daemon could not be started."
