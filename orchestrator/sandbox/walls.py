"""Which sandbox this machine offers, and running a program inside it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from orchestrator.errors import LabError
from orchestrator.sandbox import bubblewrap, landlock
from orchestrator.sandbox.view import View

PROBE_SECONDS = 30.0
START_CUDA = "import ctypes, sys; sys.exit(ctypes.CDLL('libcuda.so.1').cuInit(0) != 0)"
WITHOUT = 'set `sandbox = "off"` in autolab.toml and have every result marked as unsandboxed.'
REMEDY = f"Install bubblewrap (apt-get install bubblewrap), or {WITHOUT}"


@dataclass(frozen=True, slots=True)
class Walls:
    """A sandbox that has been seen to work here; `kind` "off" is none at all."""

    kind: Literal["bubblewrap", "landlock", "off"]
    library: Path | None  # what `library.build` made; None shows the library with its text
    program: str = ""
    namespaces: bool = True  # those of Landlock; bubblewrap has them always

    @property
    def sealed(self) -> bool:
        return self.kind != "off"

    @property
    def moves(self) -> bool:
        """Whether a view's mounts can stand at places of their own."""
        return self.kind == "bubblewrap"


def enclose(walls: Walls, view: View, argv: Sequence[str]) -> list[str]:
    """A command line that runs `argv` with this view."""
    if walls.kind == "bubblewrap":
        return bubblewrap.command(walls.program, view, walls.library, argv)
    if walls.kind == "landlock":
        return landlock.command(view, walls.library, walls.namespaces, argv)
    raise ValueError(f"there is no sandbox of kind {walls.kind}")


@cache
def walls(library: Path | None, gpu_nodes: tuple[str, ...] = ()) -> Walls | None:
    """The best sandbox that works here, or None; with a GPU's device files one in which CUDA starts."""
    program = shutil.which("bwrap")
    if program is not None and _works(found := Walls("bubblewrap", library, program), gpu_nodes):
        return found
    for namespaces in (True, False):
        if _works(found := Walls("landlock", library, namespaces=namespaces), gpu_nodes):
            return found
    return None


def needed_walls(library: Path | None, wanted: Literal["auto", "off"], gpu_nodes: tuple[str, ...] = ()) -> Walls:
    """Raises LabError when runs ought to be sandboxed and cannot be."""
    if wanted == "off":
        return Walls("off", library)
    found = walls(library, gpu_nodes)
    if found is not None:
        return found
    without_gpu = walls(library) if gpu_nodes else None
    if without_gpu is not None:
        remedy = f"Look at `nvidia-smi`, or {WITHOUT}" if without_gpu.kind == "bubblewrap" else REMEDY
        raise LabError(f"CUDA does not start inside the sandbox of this machine ({without_gpu.kind}).", remedy)
    raise LabError("No sandbox works on this machine: neither bubblewrap nor Landlock with namespaces.", REMEDY)


def _works(found: Walls, gpu_nodes: tuple[str, ...]) -> bool:
    view = View(mounts=(), directory="/", gpu_nodes=gpu_nodes)
    try:
        command = enclose(found, view, [sys.executable, "-c", START_CUDA if gpu_nodes else "import json"])
        return subprocess.run(command, capture_output=True, timeout=PROBE_SECONDS, check=False).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False
