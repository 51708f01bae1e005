"""Who a process is: its pid alone is reused, pid with start time and boot is not."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import signal
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

MARKER_VARIABLE = "AUTOLAB_RUN"
SWEEP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Identity:
    pid: int
    start_time: int  # clock ticks after boot, field 22 of /proc/<pid>/stat
    boot_id: str


@dataclass(frozen=True, slots=True)
class Stat:
    """What /proc/<pid>/stat says that matters here."""

    state: str  # R, S, D, T, Z, ...
    parent: int
    ticks: int  # CPU time in clock ticks, with that of the children it has waited for
    start_time: int
    resident_pages: int

    @property
    def gone(self) -> bool:
        """Ended, and at most waiting to be reaped."""
        return self.state in "ZX"


@cache
def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def stat_of(pid: int) -> Stat | None:
    """None when there is no such process."""
    try:
        # As bytes: a process may give itself any name, with spaces, brackets and bytes that are not UTF-8.
        content = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = content[content.rindex(b")") + 2 :].split()  # from the third field on
    ticks = sum(int(field) for field in fields[11:15])
    return Stat(fields[0].decode(), int(fields[1]), ticks, int(fields[19]), int(fields[21]))


def identity_of(pid: int) -> Identity | None:
    """None for a process that is gone or only waits to be reaped."""
    found = stat_of(pid)
    return None if found is None or found.gone else Identity(pid, found.start_time, boot_id())


def alive(identity: Identity) -> bool:
    return identity_of(identity.pid) == identity


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal this very process, never another that got its pid; false when it is gone or not ours to signal."""
    try:
        handle = os.pidfd_open(identity.pid)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            return False
        return _send_without_handle(identity, number)
    try:
        # The handle pins the process: if the identity matches now, the signal cannot reach another.
        if not alive(identity):
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def _send_without_handle(identity: Identity, number: signal.Signals) -> bool:
    """Some container runtimes know no pidfd; then a moment is left between the look and the signal."""
    try:
        if not alive(identity):
            return False
        os.kill(identity.pid, number)
        return True
    except OSError:
        return False


def put_mark(marker: str) -> None:
    """Called in a new child: a mark that its children inherit even if they clear or overwrite their environment.

    It is the limit of a resource that no run uses (time without a break under a realtime scheduler), set to a number
    that says whose the process is, and days away from having an effect.
    """
    number = _mark(marker)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_RTTIME, (number, number))


def _mark(marker: str) -> int:
    """In microseconds: some 13 days and, in the lower half, the marker's checksum."""
    return 2**40 + zlib.crc32(marker.encode())


def marked_processes(marker: str) -> list[int]:
    """Living processes that carry a run's marker or its mark, however they were orphaned."""
    return [identity.pid for identity in _marked(marker)]


def _marked(marker: str) -> list[Identity]:
    variable, mark = f"{MARKER_VARIABLE}={marker}".encode(), str(_mark(marker)).encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        identity = identity_of(int(entry))  # before its environment: if the pid is reused in between, `send` sees it
        if identity is None:
            continue
        with contextlib.suppress(OSError):
            if variable in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0") or mark in _realtime_limit(entry):
                found.append(identity)
    return found


def _realtime_limit(pid: str) -> list[bytes]:
    lines = Path(f"/proc/{pid}/limits").read_bytes().splitlines()
    return next((line.split() for line in lines if line.startswith(b"Max realtime timeout")), [])


def kill_marked(marker: str, besides: Iterable[Identity] = (), patience: float = SWEEP_SECONDS) -> int:
    """KILL every process of a run, and those `besides`, until none is left or `patience` seconds are over.

    Returns how many were there.
    """
    met: set[Identity] = set()
    others = list(besides)
    deadline = time.monotonic() + patience
    while living := [*_marked(marker), *(other for other in others if alive(other))]:
        for identity in living:
            send(identity, signal.SIGKILL)
        met.update(living)
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    return len(met)
