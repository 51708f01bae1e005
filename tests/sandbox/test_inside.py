"""What a program inside can and cannot do, alike in every kind of sandbox."""

from __future__ import annotations

import contextlib
import ctypes
import io
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.sandbox import Mount, View, Walls, enclose, interpreter, system
from tests.sandbox.kinds import bubblewrap, every_kind, said

NAMES_ITS_THREADS = """
import os, threading
def deed():
    path = f"/proc/self/task/{threading.get_native_id()}/comm"
    os.write(os.open(path, os.O_RDWR), b"worker")
    print(open(path).read().strip())
thread = threading.Thread(target=deed)
thread.start()
thread.join()
"""

WRITES_TO_THE_KERNEL = """
import os
try:
    tops = os.listdir("/proc")
except OSError:
    tops = ["sys", "sysrq-trigger", "irq", "bus", "fs", "driver", "acpi"]
for top in tops:
    if top.isdecimal() or top in ("self", "thread-self"):
        continue
    places = [f"/proc/{top}"]
    places += [f"{place}/{name}" for place, _, names in os.walk(f"/proc/{top}") for name in names]
    for place in places:
        try:
            os.close(os.open(place, os.O_WRONLY | os.O_NONBLOCK))
            print(place)
        except OSError:
            pass
print("done")
"""


def test_no_program_opens_a_terminal_or_without_a_gpu_memory_that_nobody_counts(without_text: Path) -> None:
    code = """
import os
for name in ("tty", "zero"):
    try:
        os.open(f"/dev/{name}", os.O_RDWR)
        print(name)
    except OSError:
        pass
print("done")
"""
    for found, before in every_kind(without_text):
        assert said(found, before, code, ()) == "done\n", (found.kind, before)
        assert said(found, before, code, ("/dev/full",)) == "zero\ndone\n", (found.kind, before)


def test_where_namespaces_are_forbidden_a_pair_of_sockets_reaches_nobody_else(
    without_text: Path, tmp_path: Path
) -> None:
    """One that carries datagrams could be connected anew, to the socket of a person's program."""
    code = f"""
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK):
    for door in ("stream", "datagrams"):
        try:
            socket.socketpair(socket.AF_UNIX, kind)[0].connect({str(tmp_path)!r} + "/" + door)
            print("connected to", door)
        except OSError:
            pass
print("done")
"""
    with socket.socket(socket.AF_UNIX) as stream, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagrams:
        stream.bind(str(tmp_path / "stream"))
        stream.listen()
        datagrams.bind(str(tmp_path / "datagrams"))
        *_, (found, before) = every_kind(without_text)
        assert said(found, before, code, ()) == "done\n"


def test_where_namespaces_are_forbidden_nothing_of_system_v_or_posix_is_reached_by_its_number(
    without_text: Path,
) -> None:
    """A person's program has a segment, a queue and semaphores; who knows their numbers needs no name."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = libc.shmget(0, 4096, 0o1600), libc.msgget(0, 0o1600), libc.semget(0, 1, 0o1600)
    code = f"""
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
segment, queue, semaphores = {made}
print(libc.shmat(segment, None, 0) == 2**64 - 1, libc.msgsnd(queue, bytes(16), 1, 0), libc.semctl(semaphores, 0, 12))
"""
    try:
        *_, (found, before) = every_kind(without_text)
        assert said(found, before, code, ()) == "True -1 -1\n"
    finally:
        libc.shmctl(made[0], 0, None), libc.msgctl(made[1], 0, None), libc.semctl(made[2], 0, 0)


def test_no_program_makes_namespaces_of_its_own(without_text: Path) -> None:
    """In one of its own it could mount memory that nobody counts; nor has it privileges where Autolab runs as root."""
    code = "import ctypes; print([ctypes.CDLL(None).unshare(kind) for kind in (0x10000000, 0x10020000, 0x00020000)])"
    for found, before in every_kind(without_text):
        assert said(found, before, code, ()) == "[-1, -1, -1]\n", (found.kind, before)


LEAVES_A_MESSAGE = """
import ctypes
libc = ctypes.CDLL(None)
libc.shmget(4711, 4096, 0o1666), libc.msgget(4711, 0o1666), libc.semget(4711, 1, 0o1666)
libc.mq_open(b"/autolab-test", 0o102, 0o666, None)
"""
FINDS_A_MESSAGE = """
import ctypes
libc = ctypes.CDLL(None)
print(libc.shmget(4711, 0, 0), libc.msgget(4711, 0), libc.semget(4711, 0, 0), libc.mq_open(b"/autolab-test", 0))
"""


def test_beside_a_gpu_a_program_may_name_its_threads(without_text: Path) -> None:
    """CUDA starts in no sandbox that forbids this. /dev/full stands for a GPU."""
    for found, before in every_kind(without_text):
        assert said(found, before, NAMES_ITS_THREADS, ("/dev/full",)) == "worker\n", (found.kind, before)


def test_no_program_writes_but_where_its_view_says(without_text: Path) -> None:
    """Nor where something is hidden; what covers it is memory that nobody counts."""
    hidden = [str(place) for place in (*interpreter.library_places(), *interpreter.copies_of_the_library())]
    code = f"""
import os
for place in ("/", "/dev", "/etc", "/usr", "/proc", "/autolab", *{hidden}):
    try:
        os.close(os.open(place + "/autolab-test", os.O_CREAT | os.O_WRONLY))
        print(place)
    except OSError:
        pass
open("/dev/null", "w").write("as ever")
print("done")
"""
    for found, before in every_kind(without_text):
        assert said(found, before, code, ("/dev/full",)) == "done\n", (found.kind, before)


def test_no_program_finds_what_another_left_in_shared_memory_or_queues(without_text: Path) -> None:
    for found, before in every_kind(without_text):
        said(found, before, LEAVES_A_MESSAGE, ())
        assert said(found, before, FINDS_A_MESSAGE, ()) == "-1 -1 -1 -1\n", (found.kind, before)


ORDINARY = """
import os, subprocess
import torch
from torch.utils.data import DataLoader, TensorDataset
batches = DataLoader(TensorDataset(torch.arange(64)), batch_size=8, num_workers=2)
print(sum(int(batch[0].sum()) for batch in batches))
print(subprocess.run(["git", "config", "--list"], capture_output=True, text=True))
print(sorted(os.listdir("/etc")))
"""


def test_ordinary_programs_find_what_they_need_and_no_more(without_text: Path) -> None:
    """Workers that load data hand over memory through sockets; git looks for its settings wherever they may be."""
    settings = sorted(Path(name).name for name in system.FILES if name.startswith("/etc/") and Path(name).exists())
    git = "CompletedProcess(args=['git', 'config', '--list'], returncode=0, stdout='', stderr='')"
    for found in (bubblewrap(without_text), Walls("landlock", without_text)):
        assert said(found, [], ORDINARY, ()) == f"2016\n{git}\n{settings}\n", found.kind


CHANGES_WHAT_IS_NOT_ITS_OWN = """
import ctypes, fcntl, os, resource, socket, sys
file, door, parent = sys.argv[1], sys.argv[2], int(sys.argv[3])
def attempt(name, deed):
    try:
        deed()
    except OSError:
        return
    print(name)
attempt("xattr", lambda: os.setxattr(file, "user.autolab", b"1"))
attempt("owner", lambda: os.chown(file, os.getuid(), os.getgid()))
attempt("flags", lambda: fcntl.ioctl(os.open(file, os.O_RDONLY), 0x40086602, b"\\x80" + bytes(7)))
attempt("door", lambda: socket.socket(socket.AF_UNIX).connect(door))
attempt("limits", lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE, (64, 64)))
attempt("priority", lambda: os.setpriority(os.PRIO_PROCESS, parent, 19))
for deed in (lambda: os.chmod(file, 0o777), lambda: os.utime(file, (1, 1)),
             lambda: os.sched_setaffinity(parent, {min(os.sched_getaffinity(0))})):
    attempt("", deed)
ends = socket.socketpair()
ends[0].send(b"its own")
os.sched_setaffinity(0, os.sched_getaffinity(0)), resource.setrlimit(resource.RLIMIT_CORE, (0, 0)), os.nice(1)
print("done")
"""


def test_no_program_changes_a_persons_files_programs_or_processes(without_text: Path, tmp_path: Path) -> None:
    """What Landlock has no word for: times, modes and attributes, sockets by their path, limits and priorities."""
    shown, door = tmp_path / "shown" / "file", tmp_path / "door"
    shown.parent.mkdir()
    shown.write_text("a person's")
    shown.chmod(0o640)
    before, limits = shown.stat(), resource.getrlimit(resource.RLIMIT_NOFILE)
    work = View((Mount(str(shown.parent), str(shown.parent)),), "/")
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(str(door))
        server.listen()
        other = stack.enter_context(subprocess.Popen(["sleep", "60"]))
        stack.callback(other.kill)
        cores = os.sched_getaffinity(other.pid)
        for found, front in every_kind(without_text):
            program = [sys.executable, "-c", CHANGES_WHAT_IS_NOT_ITS_OWN, str(shown), str(door), str(other.pid)]
            command = [*front, *enclose(found, work, program)]
            done = subprocess.run(command, timeout=60, capture_output=True, text=True, check=False)
            if done.returncode == 126:
                pytest.skip(done.stderr)
            assert (done.stdout + done.stderr).split() == ["done"], front
            after = shown.stat()
            for name in ("st_mode", "st_mtime_ns", "st_ctime_ns"):
                assert getattr(after, name) == getattr(before, name), (name, front)
            assert resource.prlimit(other.pid, resource.RLIMIT_NOFILE) == limits
            assert os.sched_getaffinity(other.pid) == cores and os.getpriority(os.PRIO_PROCESS, other.pid) == 0


@pytest.mark.parametrize("gpu_nodes", [(), ("/dev/full",)])
def test_no_program_writes_to_the_kernels_settings(without_text: Path, gpu_nodes: tuple[str, ...]) -> None:
    """Even if Autolab runs as root, whom /proc/sys belongs to: core_pattern would start a program outside."""
    for found, before in every_kind(without_text):
        assert said(found, before, WRITES_TO_THE_KERNEL, gpu_nodes) == "done\n", (found.kind, before)


def test_beside_a_gpu_what_the_kernel_tells_root_of_others_is_not_shown(
    without_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/sys/kernel/slab stands for /sys/kernel/debug, which is not mounted everywhere."""
    views = [name for name in ("/sys/kernel/slab", "/sys/fs") if Path(name).is_dir() and os.listdir(name)]
    if not views:
        pytest.skip("this machine shows nothing there")
    monkeypatch.setattr(system, "kernel_views", lambda: views)
    code = f"import os; print([len(os.listdir(name)) for name in {views}], len(os.listdir('/sys/devices')) > 0)"
    assert said(bubblewrap(without_text), [], code, ("/dev/full",)) == f"{[0] * len(views)} True\n"


def test_what_is_mounted_below_sys_is_found_but_for_control_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "sysfs /sys sysfs rw 0 0",
        "debugfs /sys/kernel/debug debugfs rw 0 0",
        "tracefs /sys/kernel/debug/tracing tracefs rw 0 0",
        "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0",
        "bpf /sys/fs/bpf bpf rw 0 0",
        "tmpfs /system tmpfs rw 0 0",
    ]
    text = io.StringIO("\n".join(lines))
    monkeypatch.setattr("builtins.open", lambda *_, **__: text)
    assert system.kernel_views() == ["/sys/fs/bpf", "/sys/kernel/debug"]
