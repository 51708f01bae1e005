"""Who a process is: its pid alone is reused, pid with start time and boot is not."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

MARKER_VARIABLE = "AUTOLAB_RUN"


@dataclass(frozen=True, slots=True)
class Identity:
    pid: int
    start_time: int  # clock ticks after boot, field 22 of /proc/<pid>/stat
    boot_id: str


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def stat_fields(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the third on (state, ppid, ...); None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()  # the command's name may hold spaces and brackets


def identity_of(pid: int) -> Identity | None:
    """None for a process that is gone or only waits to be reaped."""
    fields = stat_fields(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return Identity(pid, int(fields[19]), boot_id())


def alive(identity: Identity) -> bool:
    return identity_of(identity.pid) == identity


def send(identity: Identity, number: signal.Signals) -> bool:
    """Signal this very process, never another that got its pid; false when it is gone."""
    try:
        handle = os.pidfd_open(identity.pid)
    except OSError:
        return False
    try:
        # The handle pins the process: if the identity matches now, the signal cannot reach another.
        if not alive(identity):
            return False
        signal.pidfd_send_signal(handle, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)


def marked_processes(marker: str) -> list[int]:
    """Living processes that carry a run's marker in their environment, however they were orphaned."""
    wanted = f"{MARKER_VARIABLE}={marker}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                environment = Path(f"/proc/{entry}/environ").read_bytes()
            except OSError:
                continue
            if wanted in environment.split(b"\0") and identity_of(int(entry)) is not None:
                found.append(int(entry))
    return found


def kill_marked(marker: str) -> int:
    """KILL every process of a run; returns how many were there."""
    killed = 0
    while processes := marked_processes(marker):
        for pid in processes:
            identity = identity_of(pid)
            if identity is not None and send(identity, signal.SIGKILL):
                killed += 1
    return killed
