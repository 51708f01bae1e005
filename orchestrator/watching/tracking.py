"""Every ended run goes into the lab's local Trackio project, by a process of its own (orchestrator.trackio_log)."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.store.records import Run

LOOK_SECONDS = 2.0


class Tracking:
    """Hands ended runs, several at a time, to a child that writes them; a run counts as tracked once it said so."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        while True:
            with contextlib.suppress(LabError, OSError):  # what could not be written now is written with the next look
                await self.flush()
            await asyncio.sleep(LOOK_SECONDS)

    async def finish(self) -> None:
        """Write what is left, so that nothing is missing after the end; what fails is written at the next start."""
        with contextlib.suppress(LabError, OSError):
            await self.flush()

    async def flush(self) -> None:
        async with self._turn:
            runs = await self._context.store.untracked_runs()
            if not runs:
                return
            order = {
                "project": self._context.lab.root.name,
                "directory": str(self._context.lab.trackio),
                "runs": [await self._facts(run) for run in runs],
            }
            written = await self._write(json.dumps(order))
            for run_id in written:
                await self._context.store.mark_tracked(run_id)

    async def _facts(self, run: Run) -> dict[str, object]:
        experiment = await self._context.store.experiment(run.experiment_id)
        assert experiment is not None
        return {
            "run_id": run.id,
            "name": f"exp-{experiment.label}-{run.kind}-seed{run.seed}-run{run.id}",
            "metrics": str(self._context.lab.run_directory(run.id) / "metrics.jsonl"),
            "config": {
                "experiment": experiment.id,
                "title": experiment.title,
                "kind": str(run.kind),
                "seed": run.seed,
                "commit": run.commit_id,
                "slot": run.slot,
            },
            "final": {
                "val_bpb": run.val_bpb,
                "outcome": run.outcome,
                "training_seconds": run.training_seconds,
                "steps": run.steps,
            },
        }

    async def _write(self, order: str) -> list[int]:
        """The ids that the child says it has written. A child that fails is tried again with the next flush."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "orchestrator.trackio_log",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TRACKIO_DIR": str(self._context.lab.trackio)},
            start_new_session=True,
        )
        try:
            output, _ = await process.communicate(order.encode())
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        return [int(line) for line in output.decode().split() if line.isdigit()]
