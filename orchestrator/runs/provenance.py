"""Where a score comes from: what was run, on what, judged by what. Hashes are SHA-256 over names and contents."""

from __future__ import annotations

import contextlib
import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from orchestrator.runs.files import open_plain, read_piece

BLOCK = 2**22

STARTUP_CPU = "startup_cpu_seconds"
"""Beside the hashes: what a run computed before its budget began."""


def hash_of_files(paths: Iterable[tuple[str, Path]]) -> str:
    """Of files under names of their own; one that is not there counts as such."""
    digest = hashlib.sha256()
    for name, path in sorted(paths):
        digest.update(f"\0{name}\0".encode())
        try:
            with open_plain(path) as (descriptor, size):
                for begin in range(0, size, BLOCK):
                    digest.update(read_piece(descriptor, begin, BLOCK))
        except OSError:
            digest.update(b"not there")
    return digest.hexdigest()


@cache
def versions() -> dict[str, str]:
    """Of what computes: Python, torch, and the GPU's driver where there is one."""
    from orchestrator.runs.slots import driver_version

    found = {"python": platform.python_version()}
    with contextlib.suppress(PackageNotFoundError):
        found["torch"] = version("torch")
    driver = driver_version()
    return {**found, "driver": driver} if driver else found
