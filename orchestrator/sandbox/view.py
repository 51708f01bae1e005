"""What a program in the sandbox is shown of this machine; everything that is not named is not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or directory of this machine, and where the program finds it."""

    source: str
    place: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """Beside what is named here a program sees the Python environment, system libraries and an empty directory of its
    own for temporary files.

    It has no network, no terminal, no other process, no environment variable but these, and no home but an empty one.
    """

    mounts: tuple[Mount, ...]
    directory: str  # where it starts: a place
    environment: Mapping[str, str] = field(default_factory=dict)
    gpu_nodes: tuple[str, ...] = ()  # device files, /dev/nvidia0 and the like
    scratch_bytes: int = 2**30  # of memory, for temporary files
    at_home: Mapping[str, str] = field(default_factory=dict)  # links in its home: where to, a place, by path from there
