"""Starting the processes of a run: with a clean environment, bounded, and bound to their supervisor's life."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from orchestrator.runs.family import die_with_parent
from orchestrator.runs.filters import may_filter, put_on
from orchestrator.runs.identity import MARKER_VARIABLE, put_mark
from orchestrator.runs.result import Cut, Outcome
from orchestrator.runs.spec import RunSpec

INHERITED = (
    "PATH",
    "PYTHONPATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "USER",
    "LOGNAME",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "CUDA_HOME",
    "CUDA_PATH",
    "NVIDIA_DRIVER_CAPABILITIES",
    "SSL_CERT_FILE",
)
"""What a run gets of its surroundings: no token, no key, no agent's socket."""

PIPE_BYTES = 2**20

NICENESS = 5
"""On CPU slots: the clock counts CPU seconds, so a run loses nothing by letting the screen and the daemon go first."""


def surroundings() -> dict[str, str]:
    """The part of this process's environment that a supervisor and its run may see."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def environment(spec: RunSpec, extra: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a trainer that is not sandboxed, or of a scorer."""
    found = surroundings()
    # torch asks who runs it, and fails where the user has no name (containers).
    found.setdefault("USER", "autolab")
    found["HOME"] = str(home(spec))
    return {**found, **of_slot(spec.gpu, spec.clock), **extra}


def of_slot(gpu: str | None, clock: str) -> dict[str, str]:
    """What makes a program keep to its slot: one GPU by its UUID, or one thread and none."""
    if gpu is not None:
        return {"CUDA_VISIBLE_DEVICES": gpu}
    if clock != "cpu":
        return {}
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return {"CUDA_VISIBLE_DEVICES": "", **threads}


def home(spec: RunSpec) -> Path:
    """The home directory of a run: its own, and gone when it ends."""
    return Path(spec.run_dir) / "home"


def furnish(spec: RunSpec) -> None:
    """Make its home, with the links that are to be there."""
    home(spec).mkdir(exist_ok=True)
    for name, place in spec.at_home.items():
        path = home(spec) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_symlink():
            path.symlink_to(place)


def output(spec: RunSpec) -> Path:
    """The directory that the trainer writes to."""
    return Path(spec.run_dir) / spec.output


def start(
    spec: RunSpec,
    command: list[str],
    directory: str,
    environment: Mapping[str, str],
    line: socket.socket | None = None,
    trusted: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a command in its own process group, its output in one pipe. Raises Cut when that cannot be done.

    `line` is its end of the line to the harness, and becomes its standard input. Who is `trusted` may have memory that
    nobody counts: a scorer shares it with what answers it.
    """
    supervisor = os.getpid()
    bounds = _bounds(spec)
    niceness = NICENESS if spec.clock == "cpu" else 0
    filtered, accounted = may_filter(spec.sandbox), spec.clock == "cpu"

    def settle() -> None:
        die_with_parent(supervisor)
        put_mark(spec.marker)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        for kind, bound in bounds.items():
            resource.setrlimit(kind, (bound, bound))
        # When the machine runs out of memory, the run is what has to go, not the daemon or a person's shell.
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        with contextlib.suppress(OSError):
            os.nice(niceness)
        if filtered:
            put_on(children_on_account=accounted, all_memory=accounted and not trusted)

    if not Path(directory).is_dir():
        raise Cut(Outcome.CRASH, f"its working directory {directory} is not there")
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**environment, MARKER_VARIABLE: spec.marker},
            stdin=subprocess.DEVNULL if line is None else line.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=settle,  # safe: the supervisor has one thread
            bufsize=0,
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise Cut(Outcome.CRASH, f"{command[0]} cannot be started ({error})") from error
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    with contextlib.suppress(OSError):  # room for what is printed between two looks
        fcntl.fcntl(process.stdout.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return process


def _bounds(spec: RunSpec) -> dict[int, int]:
    """Resource limits, none above what this process may set."""
    wanted: dict[int, int | None] = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: spec.limits.file_bytes,
        resource.RLIMIT_NOFILE: spec.limits.open_files,
    }
    if spec.clock == "cpu":  # CUDA reserves address space far beyond what it uses
        wanted[resource.RLIMIT_DATA] = spec.limits.memory_bytes
    found = {}
    for kind, bound in wanted.items():
        if bound is not None:
            hard = resource.getrlimit(kind)[1]
            found[kind] = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    return found
