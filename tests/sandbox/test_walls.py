"""What a program in the sandbox can see and do, tried by a program in the sandbox; for every kind that works here."""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import LabError
from orchestrator.sandbox import Mount, View, Walls, enclose, interpreter, library, needed_walls, system, walls

TRY = """
import json, os, socket, subprocess, sys, sysconfig
tried = {}
def attempt(name, deed):
    try:
        tried[name] = deed()
    except BaseException as error:
        tried[name] = f"{type(error).__name__}"
port, secret, parent, work, out = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
attempt("work", lambda: open(work + "/given").read())
attempt("write to work", lambda: open(work + "/mine", "w").close())
attempt("out", lambda: open(out + "/mine", "w").write("ok"))
attempt("secret", lambda: open(secret).read())
attempt("home", lambda: os.listdir(os.environ["REAL_HOME"]))
attempt("tcp", lambda: socket.create_connection(("127.0.0.1", port), 2))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", port)))
attempt("signal", lambda: os.kill(parent, 0))
attempt("processes", lambda: len([one for one in os.listdir("/proc") if one.isdigit()]))
attempt("library", lambda: open(sysconfig.get_paths()["stdlib"] + "/argparse.py").read(10))
attempt("copies", lambda: open(sysconfig.get_paths()["purelib"] + "/pip/__init__.py").read(10))
attempt("argparse", lambda: __import__("argparse").ArgumentParser().__class__.__doc__)
attempt("torch", lambda: __import__("importlib.metadata").metadata.version("torch"))
attempt("tty", lambda: open("/dev/tty"))
attempt("temporary", lambda: __import__("tempfile").TemporaryFile().write(b"ok"))
attempt("environment", lambda: sorted(os.environ))
print(json.dumps(tried))
"""


@pytest.fixture(scope="module")
def without_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return library.build(tmp_path_factory.mktemp("library"))


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def bubblewrap(place: Path) -> Walls:
    program = shutil.which("bwrap")
    if program is None:
        pytest.skip("bubblewrap is not installed")
    return Walls("bubblewrap", place, program)


def tried(found: Walls, place: Path, port: int, before: list[str] | None = None) -> dict[str, Any]:
    """Run TRY inside, with `before` in front of the whole command."""
    work, out = place / "work", place / "out"
    work.mkdir()
    out.mkdir()
    (work / "given").write_text("seen")
    (place / "secret").write_text("token")
    (work / "try.py").write_text(TRY)
    shown = ("/autolab/work", "/autolab/out") if found.moves else (str(work), str(out))
    view = View(
        (Mount(str(work), shown[0]), Mount(str(out), shown[1], writable=True)),
        shown[0],
        {"REAL_HOME": str(Path.home())},
    )
    words = [sys.executable, "try.py", str(port), str(place / "secret"), str(os.getpid()), *shown]
    done = subprocess.run(
        [*(before or []), *enclose(found, view, words)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "HF_TOKEN": "secret"},
        check=False,
    )
    if done.returncode == 126:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert (out / "mine").read_text() == "ok" and not (work / "mine").exists()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def check_sealed(answer: dict[str, Any]) -> None:
    assert answer["work"] == "seen" and answer["out"] == 2
    interpreters = {Path(prefix) for prefix in (sys.prefix, sys.base_prefix)}
    homes = {one.relative_to(Path.home()).parts[0] for one in interpreters if one.is_relative_to(Path.home())}
    assert answer["home"] in ("FileNotFoundError", "PermissionError") or set(answer["home"]) <= homes
    for deed in ("write to work", "secret", "tcp", "udp", "library", "copies", "tty"):
        assert str(answer[deed]).endswith("Error"), (deed, answer[deed])
    assert answer["argparse"] is None, "modules work, without their text"
    assert answer["torch"][0].isdigit() and answer["temporary"] == 2
    assert "HF_TOKEN" not in answer["environment"]


def test_bubblewrap_shows_what_is_named_and_nothing_else(without_text: Path, tmp_path: Path, listening: int) -> None:
    answer = tried(bubblewrap(without_text), tmp_path, listening)
    check_sealed(answer)
    assert answer["signal"] == "ProcessLookupError" and answer["processes"] <= 3


def test_landlock_with_namespaces_seals_the_same(without_text: Path, tmp_path: Path, listening: int) -> None:
    answer = tried(Walls("landlock", without_text), tmp_path, listening)
    check_sealed(answer)
    assert answer["signal"] == "ProcessLookupError" and answer["secret"] == "FileNotFoundError"


def test_landlock_where_namespaces_are_forbidden_seals_by_itself(
    without_text: Path, tmp_path: Path, listening: int
) -> None:
    program = bubblewrap(without_text).program
    forbidding = [program, "--dev-bind", "/", "/", "--proc", "/proc", "--unshare-user", "--disable-userns"]
    refused = subprocess.run(
        [*forbidding, *enclose(Walls("landlock", without_text), View((), "/"), ["/bin/true"])],
        capture_output=True,
        check=False,
    )
    assert refused.returncode == 126 and b"no namespaces" in refused.stderr, "never a weaker wall than was meant"
    answer = tried(Walls("landlock", without_text, namespaces=False), tmp_path, listening, forbidding)
    check_sealed(answer)
    assert answer["signal"] == "PermissionError"


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


def every_kind(without_text: Path) -> Iterator[tuple[Walls, list[str]]]:
    """And what stands in front of its command."""
    found = bubblewrap(without_text)
    forbidding = [found.program, "--dev-bind", "/", "/", "--proc", "/proc", "--unshare-user", "--disable-userns"]
    yield found, []
    yield Walls("landlock", without_text), []
    yield Walls("landlock", without_text, namespaces=False), forbidding


def said(found: Walls, before: list[str], code: str, gpu_nodes: tuple[str, ...]) -> str:
    command = [*before, *enclose(found, View((), "/", gpu_nodes=gpu_nodes), [sys.executable, "-c", code])]
    done = subprocess.run(command, timeout=60, capture_output=True, text=True, check=False)
    if done.returncode == 126:
        pytest.skip(done.stderr)
    return done.stdout + done.stderr


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


def test_a_sandbox_in_which_cuda_does_not_start_is_refused_with_the_remedy(without_text: Path) -> None:
    if walls(without_text) is None:
        pytest.skip("neither bubblewrap nor Landlock works here")
    with pytest.raises(LabError) as told:
        needed_walls(without_text, "auto", ("/dev/full",))  # no GPU
    assert "CUDA does not start" in told.value.sentence and 'sandbox = "off"' in told.value.remedy
    installed = shutil.which("bwrap") is not None
    assert ("Install bubblewrap" in told.value.remedy) is not installed


def test_a_child_that_gets_away_dies_with_the_program(without_text: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    while True:\n"
        "        open('{}/alive', 'w').write(str(time.time()))\n"
        "        time.sleep(0.05)\n"
        "time.sleep(0.5)\n"
    )
    for found in (bubblewrap(without_text), Walls("landlock", without_text)):
        place = "/autolab/out" if found.moves else str(out)
        view = View((Mount(str(out), place, writable=True),), place)
        command = enclose(found, view, [sys.executable, "-c", code.format(place)])
        done = subprocess.run(command, timeout=30, capture_output=True, check=False)
        if done.returncode == 126:
            pytest.skip(done.stderr.decode())
        before = (out / "alive").read_text()
        time.sleep(0.4)
        assert (out / "alive").read_text() == before, f"{found.kind}: it still lives"


def test_the_library_without_text_is_built_once(tmp_path: Path) -> None:
    told: list[int] = []
    first = library.build(tmp_path, lambda _, done, total: told.append(total))
    assert told and library.build(tmp_path, lambda *_: told.clear()) == first and told
    assert (first / "os.pyc").is_file() and not list(first.rglob("*.py"))


def test_without_any_sandbox_runs_are_refused_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["orchestrator.sandbox.walls"], "walls", lambda library, gpu_nodes=(): None)
    with pytest.raises(LabError) as told:
        needed_walls(tmp_path, "auto")
    assert 'sandbox = "off"' in told.value.remedy
    assert needed_walls(tmp_path, "off").kind == "off"


def test_a_sandbox_is_found_on_this_machine(without_text: Path) -> None:
    found = walls(without_text)
    if found is None:
        pytest.skip("neither bubblewrap nor Landlock works here")
    assert found.sealed
