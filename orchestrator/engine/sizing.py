"""Building a patched model before any run, in the sandbox and without a slot: what cannot train or fit is refused."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from orchestrator.engine.context import Context
from orchestrator.guard.size import PROBE, probe
from orchestrator.runs.child import NICENESS, of_slot
from orchestrator.runs.slots import gpu_reading
from orchestrator.sandbox import Mount, View, enclose

PROBE_SECONDS = 60.0
WORK, PROGRAM = "/autolab/work", "/autolab/probe.py"


async def against_size(context: Context, worktree: Path) -> list[str]:
    """Why the train.py of a worktree cannot be run, one sentence each. In doubt the run may tell."""
    if context.settings.optimised().self_reported:
        return []
    return await asyncio.to_thread(_refused, context, worktree)


def _refused(context: Context, worktree: Path) -> list[str]:
    walls = context.walls
    work, program = (WORK, PROGRAM) if walls.moves else (str(worktree), str(PROBE))
    environment = {**of_slot(None, "cpu"), "AUTOLAB_PROFILE": context.settings.lab.profile}

    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        if walls.sealed:
            view = View((Mount(str(worktree), work), Mount(str(PROBE), program)), work, environment)
            command = enclose(walls, view, command)
        return subprocess.run(
            ["nice", "-n", str(NICENESS), *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            env={} if walls.sealed else {**environment, "PATH": os.defpath, "HOME": "/nonexistent"},
            check=False,
        )

    found = probe(Path(work) / "train.py", run, _memory(context), Path(program))
    return list(found.refused)


def _memory(context: Context) -> int | None:
    """Bytes that the smallest slot has for a run."""
    slots = context.executor.slots()
    if any(slot.gpu is not None for slot in slots):
        totals = [gpu_reading(slot).memory_total for slot in slots]
        return min((total for total in totals if total is not None), default=None)
    return int(context.settings.run.memory_gib * 2**30) or None
