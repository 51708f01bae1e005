"""The processes below a supervisor: found, measured, signalled, and buried, even those that tried to get away."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.runs.identity import Identity, Stat, boot_id, send, stat_of

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Orphans below this process become its children, so that a child that calls setsid or forks twice is kept."""
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Called in a new child of `parent`: KILL when that dies."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the order stood
        os._exit(1)


@dataclass(frozen=True, slots=True)
class Descendant:
    pid: int
    stat: Stat

    @property
    def identity(self) -> Identity:
        return Identity(self.pid, self.stat.start_time, boot_id())


def descendants() -> list[Descendant]:
    """Every process below this one, dead ones that nobody has reaped included."""
    found: list[Descendant] = []
    above = {os.getpid()}
    open_ends = [os.getpid()]
    while open_ends:
        for child in _children_of(open_ends.pop()):
            stat = stat_of(child)
            # Its parent is looked at again: the pid may have become another's since it was listed.
            if stat is not None and stat.parent in above and child not in above:
                above.add(child)
                found.append(Descendant(child, stat))
                open_ends.append(child)
    return found


def _children_of(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            children.extend(int(child) for child in Path(f"/proc/{pid}/task/{thread}/children").read_bytes().split())
    except FileNotFoundError:
        if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
            return _children_by_parent(pid)  # a kernel without CONFIG_PROC_CHILDREN
    except OSError:
        pass
    return children


def _children_by_parent(pid: int) -> list[int]:
    entries = (int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return [entry for entry in entries if (stat := stat_of(entry)) is not None and stat.parent == pid]


@dataclass(frozen=True, slots=True)
class Usage:
    cpu_seconds: float = 0.0  # of all descendants so far, living and gone; never falls
    memory_bytes: int = 0  # resident, now
    living: tuple[Identity, ...] = ()


@dataclass(slots=True)
class Meter:
    """Measures what the descendants use, and buries orphans that came to this process and died."""

    _reaped_seconds: float = 0.0
    _most_seconds: float = field(default=0.0)

    def measure(self, spare: int) -> Usage:
        """`spare` is the child whose exit status somebody else waits for."""
        ticks, pages, living = 0, 0, []
        for one in descendants():
            if not one.stat.gone:
                living.append(one.identity)
                pages += one.stat.resident_pages
            elif one.stat.parent == os.getpid() and one.pid != spare:
                self._reaped_seconds += _reap(one.pid)
                continue
            ticks += one.stat.ticks
        # A process that ends between two looks is missing for a moment, until its parent's account has it.
        self._most_seconds = max(self._most_seconds, self._reaped_seconds + ticks / TICKS)
        return Usage(self._most_seconds, pages * PAGE, tuple(living))


def _reap(pid: int) -> float:
    """Bury a dead child; returns the CPU seconds of it and of the children that it had waited for."""
    try:
        found, _, used = os.wait4(pid, os.WNOHANG)
    except OSError:
        return 0.0
    return used.ru_utime + used.ru_stime if found else 0.0


def proportional_memory(processes: tuple[Identity, ...]) -> int:
    """Bytes resident, pages that several processes share counted once: dearer to find out than `Usage.memory_bytes`."""
    total = 0
    for identity in processes:
        try:
            lines = Path(f"/proc/{identity.pid}/smaps_rollup").read_bytes().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:"))
    return total


def signal_all(number: signal.Signals) -> None:
    for one in descendants():
        if not one.stat.gone:
            send(one.identity, number)


def kill_group(leader: int) -> None:
    """KILL the group of a child that has not been waited for, so that its number cannot be another's.

    One call for all: where thousands fork, whoever goes for them one by one comes late.
    """
    with contextlib.suppress(OSError):
        os.killpg(leader, signal.SIGKILL)


def hold_all() -> None:
    """STOP whoever does not stand still yet."""
    for one in descendants():
        if one.stat.state not in "TtZX":
            send(one.identity, signal.SIGSTOP)


@contextlib.contextmanager
def standing_still(patience: float = 1.0) -> Iterator[None]:
    """Every descendant is held meanwhile; what cannot be stopped within `patience` seconds goes on."""
    deadline = time.monotonic() + patience
    while any(one.stat.state not in "TtZX" for one in descendants()) and time.monotonic() < deadline:
        hold_all()
        time.sleep(0.001)
    try:
        yield
    finally:
        signal_all(signal.SIGCONT)


def has_ended(pid: int) -> bool:
    """Whether a child has ended; it stays to be waited for."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def end_all(patience: float = 30.0) -> bool:
    """KILL and bury every descendant; false when one cannot be killed within `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        hold_all()  # what stands still cannot fork away from the KILL
        signal_all(signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        except ChildProcessError:
            return True  # no child, so nothing below either: every orphan would have become one
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
