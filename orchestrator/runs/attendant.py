"""Sitting with a process of the run until it is gone: its output, orders from outside, its share of the machine."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import time
from collections.abc import Callable

from orchestrator.runs import family
from orchestrator.runs.child import output
from orchestrator.runs.files import bytes_in, write_whole
from orchestrator.runs.handover import Handover
from orchestrator.runs.orders import Order, Orders
from orchestrator.runs.output import CappedLog, Intake
from orchestrator.runs.result import Cut, Outcome
from orchestrator.runs.spec import RunSpec
from orchestrator.runs.stopwatch import Stopwatch

LOOK_SECONDS = 0.1
GATHER_SECONDS = 0.01
DISK_SECONDS = 2.0


class Attendant:
    """Attends the trainer, then the scorer. Its stopwatch, meter and peak are those of the whole run."""

    def __init__(self, spec: RunSpec, log: CappedLog, orders: Orders, show: Callable[[], None]) -> None:
        """`show` is called at every look, also in a pause; it may raise Cut."""
        self._spec = spec
        self._log = log
        self._orders = orders
        self._show = show
        self._meter = family.Meter()
        self._next_look = 0.0
        self._next_disk_look = 0.0
        self._stop_by: float | None = None  # when patience with a graceful stop ends
        self.stopwatch = Stopwatch()
        self.usage = family.Usage()
        self.peak_memory = 0

    def attend(
        self, process: subprocess.Popen[bytes], rule: Callable[[], None], handover: Handover | None = None
    ) -> int:
        """Returns the exit code. Raises Cut: a bound is passed, an order says so, or `rule` does.

        `rule` is called at every look, and as soon as something waits at `handover`, but not in a pause.
        """
        assert process.stdout is not None
        intake = Intake(process.stdout.fileno(), self._log)
        try:
            while not family.has_ended(process.pid):
                self._wait(intake, handover)
                self._obey()
                if time.monotonic() >= self._next_look:
                    intake.renew()
                    self._look(process.pid, rule)
            self._measure(process.pid)  # its account stays open until it is waited for
            if self._stop_by is not None:
                raise Cut(Outcome.KILLED, "stopped on request")
            family.kill_group(process.pid)
            return process.wait()
        except Cut:
            family.kill_group(process.pid)
            raise
        finally:
            intake.renew()
            intake.take_all()
            process.stdout.close()

    def _wait(self, intake: Intake, handover: Handover | None) -> None:
        """Until there is output, an order, a child that ended, a word from the trainer, or the next look is due."""
        patience = max(0.0, self._next_look - time.monotonic())
        line: list[int] = handover.sources() if handover is not None and not self.stopwatch.paused else []
        readable, _, _ = select.select([self._orders.wakeup, *intake.sources(), *line], [], [], patience)
        if set(readable).intersection(line):
            self._next_look = 0.0
        if set(readable).intersection(intake.sources()):
            # Output that comes in crumbs is left to gather, or a program that prints much would keep us busy.
            select.select([self._orders.wakeup], [], [], GATHER_SECONDS)
            intake.take_all()

    def _look(self, main: int, rule: Callable[[], None]) -> None:
        self._measure(main)
        if self._stop_by is not None:
            if time.monotonic() > self._stop_by:
                raise Cut(Outcome.KILLED, "stopped on request; it did not end by itself and was killed")
        elif self.stopwatch.paused:
            family.hold_all()  # whoever was just being born when the pause began
        else:
            self._check_bounds()
            rule()
        self._show()
        self._next_look = time.monotonic() + LOOK_SECONDS

    # -- bounds

    def _measure(self, main: int) -> None:
        self.usage = self._meter.measure(main)
        self.peak_memory = max(self.peak_memory, self.usage.memory_bytes)

    def _check_bounds(self) -> None:
        limits = self._spec.limits
        if limits.memory_bytes is not None and self.usage.memory_bytes > limits.memory_bytes:
            # Pages that processes share were counted for each; count them once before saying so.
            alone = len(self.usage.living) == 1
            if alone or family.proportional_memory(self.usage.living) > limits.memory_bytes:
                raise Cut(Outcome.OUT_OF_MEMORY, f"used more than its {limits.memory_bytes / 2**30:.3g} GiB of memory")
        if len(self.usage.living) > limits.processes:
            raise Cut(Outcome.CRASH, f"{self._spec.program} started more than {limits.processes} processes")
        if time.monotonic() >= self._next_disk_look:
            self._next_disk_look = time.monotonic() + DISK_SECONDS
            free = _free_bytes(self._spec.run_dir)
            if free is not None and free < limits.free_disk_bytes:
                raise Cut(Outcome.CRASH, f"ended because the disk is nearly full ({free // 2**20} MiB are left)")
            if bytes_in(output(self._spec), limits.output_bytes) > limits.output_bytes:
                raise Cut(Outcome.CRASH, f"wrote more than {limits.output_bytes / 2**30:.3g} GiB to its directory")

    # -- orders

    def _obey(self) -> None:
        for order in self._orders.take():
            match order:
                case Order.KILL:
                    raise Cut(Outcome.KILLED, "killed on request")
                case Order.STOP:
                    self._begin_stop()
                case Order.PAUSE:
                    self._pause()
                case Order.RESUME:
                    self._resume()

    def _begin_stop(self) -> None:
        if self._stop_by is None:
            self._resume()
            self._stop_by = time.monotonic() + self._spec.limits.stop_seconds
            family.signal_all(signal.SIGTERM)

    def _pause(self) -> None:
        if self._stop_by is None and not self.stopwatch.paused:
            self.stopwatch.pause()
            family.hold_all()
            self._show()

    def _resume(self) -> None:
        if not self.stopwatch.paused:
            return
        self.stopwatch.resume()
        try:  # before the trainer goes on: its own wall clock subtracts what stands there
            content = struct.pack("<d", self.stopwatch.paused_seconds)
            write_whole(output(self._spec) / "paused", content, sync=False)
        finally:
            family.signal_all(signal.SIGCONT)
        self._show()


def _free_bytes(directory: str) -> int | None:
    try:
        found = os.statvfs(directory)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
