"""Runs on this machine: one supervisor each, started detached, found again by anybody through the run's directory."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator.errors import LabError
from orchestrator.runs import claim
from orchestrator.runs.child import surroundings
from orchestrator.runs.claim import Unowned
from orchestrator.runs.executor import Ended, Lost, NeverStarted, Reading, Running, Slot, Status
from orchestrator.runs.identity import Identity, alive, boot_id, kill_marked, marked_processes, send
from orchestrator.runs.log_text import read_log
from orchestrator.runs.progress import Progress, noted_processes, read_progress
from orchestrator.runs.result import RunResult, read_result
from orchestrator.runs.slots import cpu_slots, gpu_processes, gpu_reading, gpu_slots, machine_memory, used_by_others
from orchestrator.runs.spec import RunSpec, read_spec, write_spec

CLAIM_SECONDS = 30.0
UNKNOWN_SECONDS = 10.0
GPU_RELEASE_SECONDS = 30.0
LOOK_SECONDS = 0.01


class LocalExecutor:
    """The executor of DESIGN 4. Holds no state that a new one could not read from the run directories."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots = tuple(slots)
        self._lock = threading.Lock()  # the fields below are used from several threads
        self._children: list[subprocess.Popen[bytes]] = []
        self._starting: set[Path] = set()
        self._cpu_seen: dict[str, tuple[float, float]] = {}
        self._owners: dict[Path, Identity] = {}
        self._releasing: dict[Path, float] = {}

    def slots(self) -> Sequence[Slot]:
        return self._slots

    # -- starting

    async def start(self, spec: RunSpec) -> None:
        """Write the order, spawn a supervisor, wait until it has taken the run. Raises LabError."""
        await asyncio.to_thread(self._start, spec)

    def _start(self, spec: RunSpec) -> None:
        directory = Path(spec.run_dir)
        with self._lock:
            self._starting.add(directory)
        try:
            if claim.owner(directory) is not Unowned.YET:
                raise LabError(f"Run {spec.run_id} has been started before.", "Every run needs a directory of its own.")
            write_spec(spec)
            self._await_claim(spec, self._spawn(directory))
        except OSError as error:
            remedy = f"Look at {directory}: is the disk full, or the directory read-only?"
            raise LabError(f"Run {spec.run_id} cannot be started ({error.strerror}).", remedy) from error
        finally:
            with self._lock:
                self._starting.discard(directory)

    def _spawn(self, directory: Path) -> subprocess.Popen[bytes]:
        with (directory / "supervisor.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "orchestrator.runs.supervisor", str(directory)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=surroundings(),  # what a run could read in its supervisor's environment must not be secret either
                start_new_session=True,
                cwd="/",
            )
        with self._lock:
            self._children.append(process)
        return process

    def _await_claim(self, spec: RunSpec, process: subprocess.Popen[bytes]) -> None:
        directory = Path(spec.run_dir)
        deadline = time.monotonic() + CLAIM_SECONDS
        while True:
            code = process.poll()
            if isinstance(self._owner(directory), Identity):
                return
            if code == claim.TAKEN:
                raise LabError(f"Run {spec.run_id} was called off before it began.")
            if (code is not None or time.monotonic() > deadline) and claim.call_off(directory):
                process.kill()
                said = read_log(directory / "supervisor.log").splitlines()
                why = f" ({said[-1]})" if said else ""
                raise LabError(
                    f"No supervisor took run {spec.run_id}{why}.", f"Look at {directory / 'supervisor.log'}."
                )
            time.sleep(LOOK_SECONDS)

    # -- looking

    async def status(self, run_dir: Path) -> Status:
        """What is known of a run, from its directory and its supervisor's being alive."""
        return await asyncio.to_thread(self._status, run_dir)

    def _status(self, run_dir: Path) -> Status:
        self._bury_children()
        with self._lock:
            if run_dir in self._starting:
                return Running("starting")
        match self._owner(run_dir):
            case Identity() as owner:
                if alive(owner):
                    # Its result counts once it is gone: until then it may still be clearing away what the run left.
                    return _running(read_progress(run_dir))
                return self._over(run_dir, owner)
            case Unowned.YET:
                return self._untaken(run_dir)
            case Unowned.CALLED_OFF:
                return NeverStarted()
            case Unowned.UNKNOWN:
                return self._unknown(run_dir)

    def _owner(self, run_dir: Path) -> Identity | Unowned:
        """As the claim says; once seen it is not forgotten, for the run could alter the file."""
        with self._lock:
            known = self._owners.get(run_dir)
        if known is not None:
            return known
        found = claim.owner(run_dir)
        if isinstance(found, Identity):
            with self._lock:
                self._owners[run_dir] = found
        return found

    def _untaken(self, run_dir: Path) -> Status:
        """Nobody has taken the run: see to it that nobody will."""
        result = read_result(run_dir)
        if result is not None:
            return Ended(result)
        if run_dir.is_dir() and not claim.call_off(run_dir):
            return Running("starting")  # a supervisor was faster
        return NeverStarted()

    def _unknown(self, run_dir: Path) -> Status:
        """The claim cannot be read: it is being written, or the run broke it; its supervisor mends it soon."""
        try:
            young = time.time() - (run_dir / claim.NAME).lstat().st_mtime < UNKNOWN_SECONDS
        except OSError:
            young = True
        return Running("starting") if young else self._over(run_dir, None)

    def _over(self, run_dir: Path, owner: Identity | None) -> Status:
        """The supervisor is gone: its result stands, or the run is lost."""
        result = read_result(run_dir)
        if result is None:
            self._clear_away(run_dir, owner)
            return Lost(_why_lost(owner))
        return Ended(result) if self._released(run_dir, owner) else _ending(result)

    def _clear_away(self, run_dir: Path, owner: Identity | None) -> None:
        """Kill what a lost run left: by its marker, and what its supervisor had noted of it."""
        try:
            marker = read_spec(run_dir).marker
        except ValueError:
            return
        kill_marked(marker, besides=noted_processes(run_dir, owner) if owner is not None else ())

    def _released(self, run_dir: Path, owner: Identity | None) -> bool:
        """Whether the run's GPU shows none of its processes any more; waits GPU_RELEASE_SECONDS at most."""
        slot = self._gpu_of(run_dir)
        if slot is None or owner is None:
            return True
        held = gpu_processes(slot).intersection(one.pid for one in noted_processes(run_dir, owner))
        with self._lock:
            since = self._releasing.setdefault(run_dir, time.monotonic())
            if not held or time.monotonic() - since > GPU_RELEASE_SECONDS:
                del self._releasing[run_dir]
                return True
        return False

    def _gpu_of(self, run_dir: Path) -> Slot | None:
        with contextlib.suppress(ValueError):
            gpu = read_spec(run_dir).gpu
            return next((slot for slot in self._slots if slot.gpu == gpu and gpu is not None), None)
        return None

    def _bury_children(self) -> None:
        with self._lock:
            self._children = [child for child in self._children if child.poll() is None]

    # -- orders

    async def stop(self, run_dir: Path, now: bool) -> None:
        await asyncio.to_thread(self._order, run_dir, signal.SIGINT if now else signal.SIGTERM)

    async def pause(self, run_dir: Path) -> None:
        await asyncio.to_thread(self._order, run_dir, signal.SIGUSR1)

    async def resume(self, run_dir: Path) -> None:
        await asyncio.to_thread(self._order, run_dir, signal.SIGUSR2)

    def _order(self, run_dir: Path, number: signal.Signals) -> None:
        deadline = time.monotonic() + CLAIM_SECONDS
        while run_dir in self._starting and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        owner = self._owner(run_dir)
        if not isinstance(owner, Identity) or not send(owner, number):
            raise LabError("The run has just ended.", "Its result follows.")

    async def sweep(self, marker: str) -> int:
        return await asyncio.to_thread(kill_marked, marker)

    async def free(self, slot: Slot, marker: str) -> bool:
        """Whether no process of the run is left; `status` has waited for its GPU, where it has one, already."""
        return not await asyncio.to_thread(marked_processes, marker)

    async def occupied(self, slot: Slot) -> str:
        """A core is shared as the kernel sees fit, and its runs have a clock that does not mind."""
        if slot.gpu is None:
            return ""
        return used_by_others(await asyncio.to_thread(gpu_reading, slot))

    # -- readings

    async def readings(self, runs: Mapping[str, Path]) -> dict[str, Reading]:
        """Of a GPU by NVML; of a core by what the run on it uses."""
        return await asyncio.to_thread(self._readings, dict(runs))

    def _readings(self, runs: Mapping[str, Path]) -> dict[str, Reading]:
        return {
            slot.name: gpu_reading(slot) if slot.gpu is not None else self._cpu_reading(slot, runs.get(slot.name))
            for slot in self._slots
        }

    def _cpu_reading(self, slot: Slot, run_dir: Path | None) -> Reading:
        """A core's share that its run used since the last look, by the supervisor's account."""
        total = machine_memory() // max(1, len(self._slots))
        progress = read_progress(run_dir) if run_dir is not None else None
        with self._lock:
            if progress is None:
                self._cpu_seen.pop(slot.name, None)
                return Reading(utilisation=0.0, memory_used=0, memory_total=total)
            now, used = time.monotonic(), progress.cpu_seconds
            before = self._cpu_seen.get(slot.name)
            self._cpu_seen[slot.name] = (now, used)
        share = None
        if before is not None and now > before[0] and used >= before[1]:
            share = round(min(1.0, (used - before[1]) / (now - before[0])), 2)
        return Reading(utilisation=share, memory_used=progress.memory_bytes, memory_total=total)


def _running(progress: Progress | None) -> Running:
    if progress is None:
        return Running("starting")
    return Running(
        phase=progress.phase,
        progress=progress.progress,
        step=progress.step,
        loss=progress.loss,
        seconds=progress.seconds,
        memory_bytes=progress.memory_bytes,
    )


def _ending(result: RunResult) -> Running:
    return Running("ending", progress=1.0, step=result.steps, seconds=result.training_seconds)


def _why_lost(owner: Identity | None) -> str:
    if owner is not None and owner.boot_id != boot_id():
        return "the machine was restarted while it ran"
    return "its supervisor vanished without a result (it was killed)"


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
