"""Starting the processes of a run: with a clean environment, bounded, and bound to their supervisor's life."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Mapping
from pathlib import Path

from orchestrator.runs.family import die_with_parent
from orchestrator.runs.identity import MARKER_VARIABLE
from orchestrator.runs.spec import RunSpec

INHERITED = (
    "PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "VIRTUAL_ENV",
    "CUDA_HOME",
    "CUDA_PATH",
    "NVIDIA_DRIVER_CAPABILITIES",
    "SSL_CERT_FILE",
)
"""What a run gets of its surroundings: no token, no key, no agent's socket."""


def environment(spec: RunSpec, extra: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a trainer or scorer."""
    found = {name: os.environ[name] for name in INHERITED if name in os.environ}
    found["HOME"] = spec.run_dir
    found[MARKER_VARIABLE] = spec.marker
    if spec.gpu is not None:
        found["CUDA_VISIBLE_DEVICES"] = spec.gpu
    elif spec.clock == "cpu":
        found["CUDA_VISIBLE_DEVICES"] = ""
        found.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    return {**found, **extra}


def start(spec: RunSpec, command: list[str], directory: str, extra: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a command in its own process group, its output in one pipe. Raises OSError."""
    limit = spec.limits.memory_bytes if spec.clock == "cpu" else None

    def settle() -> None:
        die_with_parent()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        # When the machine runs out of memory, the run is what has to go, not the daemon or a person's shell.
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("900")

    process = subprocess.Popen(
        command,
        cwd=directory,
        env=environment(spec, extra),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        process_group=0,
        preexec_fn=settle,  # safe: the supervisor has one thread
        bufsize=0,
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    return process
