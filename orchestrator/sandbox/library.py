"""Python's standard library without its source text, for the sandbox.

The corpus of profile `cpu` is that text, validation and vault included, and a program needs the modules to run. So it
gets them as bytecode without docstrings: enough to run, not what it is scored on. Built once for each Python, beside
the corpora.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import py_compile
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

LEFT_OUT = frozenset(
    {"site-packages", "dist-packages", "__pycache__", "test", "tests", "idlelib", "turtledemo", "ensurepip", "lib2to3"}
)
MOUNT_POINTS = ("lib-dynload", "site-packages", "dist-packages")
FORMAT = 1

Report = Callable[[str, int, int], None]


def source_library() -> Path:
    """Where this Python keeps its standard library."""
    return Path(sysconfig.get_paths()["stdlib"])


def bytecode_library(cache: Path) -> Path:
    """Where the library without source lies; it is there once `build` has been called."""
    facts = f"{FORMAT} {sys.version} {source_library()}"
    return cache / f"library-{sys.implementation.cache_tag}-{hashlib.sha256(facts.encode()).hexdigest()[:12]}"


def build(cache: Path, report: Report | None = None) -> Path:
    """Make the library unless it is there; safe when two processes do so at once. Raises OSError."""
    library = bytecode_library(cache)
    if library.is_dir():
        return library
    cache.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".library-", dir=cache))
    try:
        _compile_all(source_library(), aside, report)
        for name in MOUNT_POINTS:
            (aside / name).mkdir(exist_ok=True)
        aside.chmod(0o755)
        with contextlib.suppress(OSError):  # another process was faster
            os.rename(aside, library)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return library


def _compile_all(source: Path, into: Path, report: Report | None) -> None:
    work: list[tuple[str, str, str]] = []
    for path in sorted(source.rglob("*.py")):
        relative = path.relative_to(source)
        if LEFT_OUT.isdisjoint(relative.parts) and not relative.parts[0].startswith("config-"):
            target = into / relative.with_suffix(".pyc")
            target.parent.mkdir(parents=True, exist_ok=True)
            work.append((str(path), str(target), relative.as_posix()))
    with ProcessPoolExecutor(min(8, len(os.sched_getaffinity(0)))) as pool:
        for number, _ in enumerate(pool.map(_compile, work, chunksize=25), start=1):
            if report is not None and (number % 50 == 0 or number == len(work)):
                report("compiling the library of the sandbox", number, len(work))


def _compile(item: tuple[str, str, str]) -> None:
    path, target, name = item
    with contextlib.suppress(py_compile.PyCompileError):  # a template among the modules
        py_compile.compile(
            path,
            cfile=target,
            dfile=name,
            doraise=True,
            optimize=2,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            quiet=2,
        )
