"""Runs on this machine: one supervisor each, started detached, found again by anybody through the run's directory."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.errors import LabError
from orchestrator.runs.executor import Ended, Lost, NeverStarted, Reading, Running, Slot, Status
from orchestrator.runs.identity import Identity, alive, kill_marked, marked_processes, send
from orchestrator.runs.result import read_json, read_result
from orchestrator.runs.slots import cpu_slots, gpu_processes, gpu_reading, gpu_slots, machine_memory
from orchestrator.runs.spec import RunSpec, read_spec, write_spec
from orchestrator.runs.supervisor import claim

CLAIM_SECONDS = 20.0
IDENTITY_SECONDS = 5.0


class LocalExecutor:
    """The executor of DESIGN 4. Holds no state that a new one could not read from the run directories."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots = tuple(slots)
        self._children: list[subprocess.Popen[bytes]] = []
        self._cpu_seen: dict[str, tuple[float, float]] = {}

    def slots(self) -> Sequence[Slot]:
        return self._slots

    # -- starting

    async def start(self, spec: RunSpec) -> None:
        await asyncio.to_thread(self._start, spec)

    def _start(self, spec: RunSpec) -> None:
        write_spec(spec)
        directory = Path(spec.run_dir)
        with (directory / "supervisor.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator.runs.supervisor", str(directory)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        self._children.append(process)
        deadline = time.monotonic() + CLAIM_SECONDS
        while time.monotonic() < deadline:
            if (directory / "identity.json").exists():
                return
            if process.poll() is not None and not (directory / "claim").exists():
                break
            time.sleep(0.01)
        raise LabError(f"No supervisor took run {spec.run_id}.", f"Look at {directory / 'supervisor.log'}.")

    # -- looking

    async def status(self, run_dir: Path) -> Status:
        return await asyncio.to_thread(self._status, run_dir)

    def _status(self, run_dir: Path) -> Status:
        self._bury_children()
        identity = self._identity(run_dir)
        if identity is not None and alive(identity):
            # Its result counts once it is gone: until then it may still be clearing away what the run left.
            return _running(run_dir)
        result = read_result(run_dir)
        if result is not None:
            return Ended(result)
        if identity is None and run_dir.is_dir() and claim(run_dir):
            return NeverStarted()  # taken by us: a supervisor that comes late finds it taken and goes
        if identity is None and not run_dir.is_dir():
            return NeverStarted()
        if identity is None and self._just_claimed(run_dir):
            return Running("starting")
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            kill_marked(read_spec(run_dir).marker)
        return Lost("its supervisor vanished without a result (killed, or the machine was restarted)")

    def _identity(self, run_dir: Path) -> Identity | None:
        values = read_json(run_dir / "identity.json")
        if values is None:
            return None
        try:
            return Identity(int(values["pid"]), int(values["start_time"]), str(values["boot_id"]))
        except (KeyError, TypeError, ValueError):
            return None

    def _just_claimed(self, run_dir: Path) -> bool:
        """A supervisor that has taken the run says at once who it is; give it a moment."""
        try:
            return time.time() - (run_dir / "claim").stat().st_mtime < IDENTITY_SECONDS
        except OSError:
            return False

    def _bury_children(self) -> None:
        self._children = [child for child in self._children if child.poll() is None]

    # -- orders

    async def stop(self, run_dir: Path, now: bool) -> None:
        await asyncio.to_thread(self._order, run_dir, signal.SIGINT if now else signal.SIGTERM)

    async def pause(self, run_dir: Path) -> None:
        await asyncio.to_thread(self._order, run_dir, signal.SIGUSR1)

    async def resume(self, run_dir: Path) -> None:
        await asyncio.to_thread(self._order, run_dir, signal.SIGUSR2)

    def _order(self, run_dir: Path, number: signal.Signals) -> None:
        identity = self._identity(run_dir)
        if identity is None or not send(identity, number):
            raise LabError("The run has just ended.", "Its result follows.")

    async def sweep(self, marker: str) -> int:
        return await asyncio.to_thread(kill_marked, marker)

    async def free(self, slot: Slot, marker: str) -> bool:
        if slot.gpu is None:
            return True
        marked = await asyncio.to_thread(marked_processes, marker)
        return not marked and not (await asyncio.to_thread(gpu_processes, slot)).intersection(marked)

    # -- readings

    async def readings(self, runs: Mapping[str, Path]) -> dict[str, Reading]:
        return await asyncio.to_thread(self._readings, dict(runs))

    def _readings(self, runs: Mapping[str, Path]) -> dict[str, Reading]:
        return {
            slot.name: gpu_reading(slot) if slot.gpu is not None else self._cpu_reading(slot, runs.get(slot.name))
            for slot in self._slots
        }

    def _cpu_reading(self, slot: Slot, run_dir: Path | None) -> Reading:
        """A core's share that its run used since the last look, by the supervisor's account."""
        status = read_json(run_dir / "status.json") if run_dir is not None else None
        total = machine_memory() // max(1, len(self._slots))
        if status is None:
            self._cpu_seen.pop(slot.name, None)
            return Reading(utilisation=0.0, memory_used=0, memory_total=total)
        now, used = time.monotonic(), float(status.get("cpu_seconds") or 0.0)
        before = self._cpu_seen.get(slot.name)
        self._cpu_seen[slot.name] = (now, used)
        share = None
        if before is not None and now > before[0] and used >= before[1]:
            share = round(min(1.0, (used - before[1]) / (now - before[0])), 2)
        return Reading(utilisation=share, memory_used=int(status.get("memory_bytes") or 0), memory_total=total)


def _running(run_dir: Path) -> Running:
    status = read_json(run_dir / "status.json")
    if status is None:
        return Running("starting")
    return Running(
        phase=str(status.get("phase", "starting")),
        progress=status.get("progress"),
        step=status.get("step"),
        loss=status.get("loss"),
        seconds=status.get("seconds"),
        memory_bytes=status.get("memory_bytes"),
    )


def local_executor(profile: str, slots: int | None = None) -> LocalExecutor:
    """The slots of this machine for a profile; `slots` takes only so many. Raises LabError without a GPU for `gpu`."""
    if profile == "cpu":
        return LocalExecutor(cpu_slots(slots))
    found = gpu_slots()
    if not found:
        raise LabError(
            "The lab's profile is gpu, and NVML shows no GPU on this machine.",
            "Check the driver with nvidia-smi, or make a lab with `--profile cpu`.",
        )
    return LocalExecutor(found[:slots])
