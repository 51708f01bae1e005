"""What a run leaves in the kernel is there for nobody: not for another run, not for what scores it."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.runs import LocalExecutor, RunSpec
from orchestrator.seccomp import ARCHITECTURES, number_of
from tests.runs.stand_ins import SCORER, is_scored, result_of, spec_for

JOIN_SESSION_KEYRING = 1
SPOKEN = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
ADD, KEYCTL, SYSLOG = {[number_of(call) for call in ("add_key", "keyctl", "syslog")]}
def call(*words):
    return libc.syscall(*words), ctypes.get_errno()
for ring in (-3, -4):  # the session's, the user's
    print("add", *call(ADD, b"user", b"autolab", b"learnt", ctypes.c_size_t(6), ring))
    print("search", *call(KEYCTL, 10, ring, b"user", b"autolab", 0))
print("log", *call(SYSLOG, 10, None, 0))
"""
LOCKED = """
import ctypes, fcntl, os, socket
READING, WRITING, WHOLE = fcntl.F_RDLCK, fcntl.F_WRLCK, (0).to_bytes(32, "little")
def lock(command, kind):
    file = os.open(SHARED, os.O_RDONLY)
    fcntl.fcntl(file, command, kind.to_bytes(8, "little") + WHOLE)
    return file
def held(command):
    found = fcntl.fcntl(os.open(SHARED, os.O_RDONLY), command, WRITING.to_bytes(8, "little") + WHOLE)
    return int.from_bytes(found[:2], "little") != fcntl.F_UNLCK
flocked = os.open(SHARED, os.O_RDONLY)
fcntl.flock(flocked, fcntl.LOCK_EX)
mine = lock(fcntl.F_SETLK, READING), lock(fcntl.F_OFD_SETLK, READING)
fcntl.fcntl(flocked, fcntl.F_SETLEASE, READING)
fcntl.fcntl(flocked, 1036, (5).to_bytes(8, "little"))
hint = fcntl.fcntl(flocked, 1035, bytes(8)) != bytes(8)
spoken = {"lease": fcntl.fcntl(flocked, fcntl.F_GETLEASE) != fcntl.F_UNLCK, "hint": hint}
read, write = os.pipe()
if os.fork() == 0:
    try:
        fcntl.flock(os.open(SHARED, os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
        word = b"free"
    except OSError:
        word = b"taken"
    os.write(write, word + b" taken" * held(fcntl.F_GETLK) + b" taken" * held(fcntl.F_OFD_GETLK))
    os._exit(0)
spoken["locks"] = os.read(read, 99)
libc = ctypes.CDLL(None)
spoken["watch"] = libc.inotify_init() >= 0 or libc.fanotify_init(0x200, 0) >= 0
try:
    socket.socket(40, socket.SOCK_STREAM)
    spoken["host"] = True
except OSError as error:
    spoken["host"] = error.errno
print("spoken", spoken)
"""


def enclosed(place: Path, train: str, score: str, clock: str) -> RunSpec:
    """A run that gets what a sandboxed one gets from its supervisor; the sandbox itself is not what is tried here."""
    spec = replace(spec_for(place, train, score), sandbox="landlock", clock=clock)
    command = ["/usr/bin/env", f"RUN_DIR={place / 'run' / 'out'}", *spec.train_command]
    return replace(spec, env={}, train_command=command)


def lines_of(place: Path, word: str) -> list[str]:
    """What the run and its scorer printed that begins so."""
    return [line for line in (place / "run" / "log").read_text().splitlines() if line.startswith(word)]


@pytest.mark.skipif(platform.machine() not in ARCHITECTURES, reason="no filter is known for this processor")
@pytest.mark.parametrize("clock", ["cpu", "wall"])
async def test_neither_a_run_nor_its_scorer_leaves_a_key_or_reads_the_kernels_log(tmp_path: Path, clock: str) -> None:
    # As every login has one, and all below it share it.
    ctypes.CDLL(None).syscall(number_of("keyctl"), JOIN_SESSION_KEYRING, None)
    spec = enclosed(tmp_path, SPOKEN + "save()\n", SPOKEN + SCORER, clock)
    assert is_scored(await result_of(LocalExecutor([]), spec))
    said = [
        line
        for line in (tmp_path / "run" / "log").read_text().splitlines()
        if line.split()[0] in ("add", "search", "log")
    ]
    assert said == ["add -1 38", "search -1 38", "add -1 38", "search -1 38", "log -1 38"] * 2  # no such call


@pytest.mark.skipif(platform.machine() not in ARCHITECTURES, reason="no filter is known for this processor")
@pytest.mark.parametrize("clock", ["cpu", "wall"])
async def test_a_file_that_all_runs_are_shown_carries_no_word_from_one_to_another(tmp_path: Path, clock: str) -> None:
    """Locks and leases do nothing, nobody is told who opens a file, and no socket reaches the host of a machine."""
    shared = tmp_path / "shared"
    shared.write_text("seen by all")
    spoken = f"SHARED = {str(shared)!r}\n{LOCKED}"
    spec = enclosed(tmp_path, spoken + "save()\n", spoken + SCORER, clock)
    assert is_scored(await result_of(LocalExecutor([]), spec))
    said = lines_of(tmp_path, "spoken")
    nothing = {"lease": False, "hint": False, "locks": b"free", "watch": False, "host": 1}
    assert said == [f"spoken {nothing}"] * 2


WOKEN = """
import ctypes, mmap, multiprocessing, os, time
libc = ctypes.CDLL(None, use_errno=True)
FUTEX, WAITV = NUMBERS
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
place = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, os.open(SHARED, os.O_RDONLY), 0)
half_a_minute = (30).to_bytes(8, "little") + bytes(8)
word = ctypes.c_uint32.from_address(place).value
begun = time.monotonic()
waited = libc.syscall(FUTEX, ctypes.c_void_p(place), 0, word, half_a_minute, None, 0)
print("woken", waited, time.monotonic() - begun < 10, libc.syscall(WAITV, None, 0, 0, None, 0), ctypes.get_errno())
with multiprocessing.get_context("fork").Pool(2) as pool:
    print("woken", pool.map(abs, range(-3, 0)))
"""


@pytest.mark.skipif(platform.machine() not in ARCHITECTURES, reason="no filter is known for this processor")
@pytest.mark.parametrize("clock", ["cpu", "wall"])
async def test_nobody_is_woken_by_another_through_a_file_that_both_map(tmp_path: Path, clock: str) -> None:
    """And programs of several processes work all the same."""
    shared = tmp_path / "shared"
    shared.write_text("seen by all")
    numbers = [number_of(call) for call in ("futex", "futex_waitv")]
    woken = f"SHARED, NUMBERS = {str(shared)!r}, {numbers}\n{WOKEN}"
    spec = enclosed(tmp_path, woken + "save()\n", SCORER, clock)
    assert is_scored(await result_of(LocalExecutor([]), spec))
    said = lines_of(tmp_path, "woken")
    assert said == ["woken 0 True -1 38", "woken [3, 2, 1]"]


MARKED = """
import os
before = os.stat(SHARED)
os.utime(SHARED, ns=(1, 1))
os.utime(SHARED)
if os.geteuid() == 0:  # whom the devices belong to
    os.chmod(SHARED, 0o777)
    os.chown(SHARED, 0, 0)
print("marked", before != os.stat(SHARED))
"""


@pytest.mark.skipif(platform.machine() not in ARCHITECTURES, reason="no filter is known for this processor")
@pytest.mark.parametrize("clock", ["cpu", "wall"])
async def test_nobody_marks_a_device_of_the_machine(tmp_path: Path, clock: str) -> None:
    """The times of /dev/null would be read by the next run. A file stands for it here."""
    shared = tmp_path / "shared"
    shared.write_text("seen by all")
    marked = f"SHARED = {str(shared)!r}\n{MARKED}"
    spec = enclosed(tmp_path, marked + "save()\n", marked + SCORER, clock)
    assert is_scored(await result_of(LocalExecutor([]), spec))
    said = lines_of(tmp_path, "marked")
    assert said == ["marked False"] * 2


@pytest.mark.skipif(platform.machine() not in ARCHITECTURES, reason="no filter is known for this processor")
async def test_a_run_on_the_processor_has_no_memory_that_is_mapped_nowhere(tmp_path: Path) -> None:
    """Its scorer has: it shares such memory with the process that answers it."""
    holds = (
        "import ctypes, os\n"
        "try:\n    print('memory', os.memfd_create('kept') > 0)\n"
        "except OSError as error:\n    print('memory', error.errno)\n"
        "import mmap\n"
        "for kind in (mmap.MAP_SHARED, mmap.MAP_SHARED | 0x4000, mmap.MAP_PRIVATE):\n"
        "    try:\n        mmap.mmap(-1, 2**20, kind | mmap.MAP_ANONYMOUS), print('memory', 'kept')\n"
        "    except OSError as error:\n        print('memory', error.errno)\n"
    )
    spec = enclosed(tmp_path, holds + "save()\n", holds + SCORER, "cpu")
    assert is_scored(await result_of(LocalExecutor([]), spec))
    said = lines_of(tmp_path, "memory")
    assert said[:4] == ["memory 38", "memory 1", "memory 1", "memory kept"], "but its own, which is counted"
    assert said[4:] == ["memory True", "memory kept", "memory kept", "memory kept"]
