"""Where a score comes from: what was run, on what, judged by what. Hashes are SHA-256 over names and contents."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from orchestrator.runs.files import open_plain, read_piece

BLOCK = 2**22

STARTUP_CPU = "startup_cpu_seconds"
"""Beside the hashes: what a run computed before its budget began."""


MOST_LISTED = 200_000
"""Files of a listing; a larger one has no hash. So many take a second or two."""


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


def hash_of_listing(paths: Iterable[str]) -> str | None:
    """Of the names, sizes and times of all files at and below these paths: data may be too large to read before a run.

    None where nothing is, or too much.
    """
    digest, listed = hashlib.sha256(), 0
    for path in _below(sorted(paths)):
        try:
            seen = path.lstat()
        except OSError:
            continue
        listed += 1
        if listed > MOST_LISTED:
            return None
        digest.update(f"\0{path}\0{seen.st_size}\0{seen.st_mtime_ns}".encode(errors="surrogateescape"))
    return digest.hexdigest() if listed else None


def _below(paths: Iterable[str]) -> Iterator[Path]:
    """Files, in an order that is always the same; links are not followed, but for the paths themselves."""
    for path in paths:
        if not os.path.isdir(path):
            yield Path(path)
        for directory, inner, names in os.walk(path):
            inner.sort()
            yield from (Path(directory, name) for name in sorted(names))


@cache
def versions() -> dict[str, str]:
    """Of what computes: Python, torch, and the GPU's driver where there is one."""
    from orchestrator.runs.slots import driver_version

    found = {"python": platform.python_version()}
    with contextlib.suppress(PackageNotFoundError):
        found["torch"] = version("torch")
    driver = driver_version()
    return {**found, "driver": driver} if driver else found
