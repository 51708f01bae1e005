"""Building a patched model before any run, in the sandbox and without a slot: what cannot train or fit is refused."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from orchestrator.context import Context
from orchestrator.guard.size import PROBE, probe
from orchestrator.runs.child import NICENESS, of_slot
from orchestrator.runs.family import has_ended, kill_group
from orchestrator.runs.filters import behind, may_filter
from orchestrator.runs.slots import gpu_reading, machine_memory
from orchestrator.sandbox import Mount, View, enclose

PROBE_SECONDS = 30.0
LOOK_SECONDS = 0.05
MOST_PROCESSES = 64
MOST_OUTPUT_BLOCKS = 4096  # of 512 bytes
WORK, PROGRAM = "/autolab/work", "/autolab/probe.py"

BOUNDED = 'ulimit -c 0; ulimit -f "$1"; ulimit -d "$2"; shift 2; exec nice -n "$@"'
"""The shell sets the limits, so that the daemon need not fork."""


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
            command = behind(command) if may_filter(walls.kind) else command
        return bounded(command, {} if walls.sealed else {**environment, "PATH": os.defpath, "HOME": "/nonexistent"})

    found = probe(Path(work) / "train.py", run, _memory(context), Path(program))
    return list(found.refused)


def bounded(command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command within PROBE_SECONDS, its memory, output and processes bounded. Raises TimeoutExpired and OSError.

    A program that breaks a bound is killed, with all that it started.
    """
    kibibytes = machine_memory() // 2048  # half of the machine
    words = ["sh", "-c", BOUNDED, "sh", str(MOST_OUTPUT_BLOCKS), str(kibibytes), str(NICENESS), *command]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            start_new_session=True,
        )
        deadline = time.monotonic() + PROBE_SECONDS
        try:
            while not has_ended(process.pid):
                if time.monotonic() > deadline or _processes(process.pid) > MOST_PROCESSES:
                    raise subprocess.TimeoutExpired(command, PROBE_SECONDS)
                time.sleep(LOOK_SECONDS)
        finally:
            kill_group(process.pid)
            process.wait()
        output.seek(0)
        text = output.read().decode(errors="replace")
    return subprocess.CompletedProcess(command, process.returncode, text, "")


def _processes(pid: int) -> int:
    try:
        return len(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return 0


def _memory(context: Context) -> int | None:
    """Bytes that the smallest slot has for a run."""
    slots = context.executor.slots()
    if any(slot.gpu is not None for slot in slots):
        totals = [gpu_reading(slot).memory_total for slot in slots]
        return min((total for total in totals if total is not None), default=None)
    return int(context.settings.run.memory_gib * 2**30) or None
