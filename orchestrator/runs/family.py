"""The processes below a supervisor: found, measured, signalled, and buried, even those that tried to get away."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.runs.identity import stat_fields

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Orphans below this process become its children, so that a child that calls setsid or forks twice is kept."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Called in a new child: KILL when the parent dies."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_seconds: float  # of all living descendants and the children that they have reaped
    memory_bytes: int  # resident


def descendants() -> list[int]:
    """Every process below this one."""
    found: list[int] = []
    open_ends = [os.getpid()]
    while open_ends:
        for child in _children_of(open_ends.pop()):
            found.append(child)
            open_ends.append(child)
    return found


def _children_of(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            children.extend(int(child) for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    except FileNotFoundError:
        if Path("/proc/self/task").exists() and not Path(f"/proc/self/task/{os.getpid()}/children").exists():
            return _children_by_parent(pid)  # a kernel without CONFIG_PROC_CHILDREN
    except OSError:
        pass
    return children


def _children_by_parent(pid: int) -> list[int]:
    entries = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return [entry for entry in entries if (fields := stat_fields(entry)) and int(fields[1]) == pid]


def usage() -> Usage:
    """What the descendants have used; processes that this one has reaped itself are not in it."""
    ticks, pages = 0, 0
    for pid in descendants():
        fields = stat_fields(pid)
        if fields is not None:
            ticks += sum(int(field) for field in fields[11:15])
            pages += int(fields[21])
    return Usage(ticks / TICKS, pages * PAGE)


def signal_all(number: signal.Signals) -> None:
    for pid in descendants():
        try:
            os.kill(pid, number)  # a descendant's pid cannot be reused: we are its reaper and have not reaped it
        except OSError:
            continue


def reap(spare: int | None = None) -> float:
    """Bury dead children other than `spare`; returns the CPU seconds that they had used."""
    seconds = 0.0
    for pid in _children_of(os.getpid()):
        if pid == spare:
            continue
        try:
            found, _, used = os.wait4(pid, os.WNOHANG)
        except OSError:
            continue
        if found:
            seconds += used.ru_utime + used.ru_stime
    return seconds


def end_all(patience: float = 30.0) -> bool:
    """KILL and bury every descendant; false when one cannot be killed within `patience` seconds."""
    deadline = time.monotonic() + patience
    while descendants():
        signal_all(signal.SIGKILL)
        reap()
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
