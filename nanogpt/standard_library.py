"""The corpus of profile `cpu`: the text of Python's own standard library, bytes as tokens. It needs no network."""

from __future__ import annotations

import contextlib
import hashlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from nanogpt.splits import CorpusError, Report, split_of, writing

LEAST_BYTES = 4 * 2**20
HELD_OUT = 50  # files in 1000, for validation and for the vault
SEPARATOR = b"\n\n"
SKIPPED = frozenset({"site-packages", "dist-packages", "__pycache__", "test", "tests", "idle_test"})


def documents(root: Path | None = None) -> Iterator[tuple[str, bytes]]:
    """Relative path and content of every module of the running Python's standard library, tests left out."""
    root = root if root is not None else Path(sysconfig.get_paths()["stdlib"])
    for path in sorted(root.rglob("*.py")):
        relative = path.relative_to(root)
        if not SKIPPED.intersection(relative.parts):
            with contextlib.suppress(OSError):
                yield relative.as_posix(), path.read_bytes()


def build(into: Path, report: Report) -> None:
    """Write the splits, divided by file. Raises CorpusError when this Python has no source text."""
    modules = list(documents())
    if sum(len(content) for _, content in modules) < LEAST_BYTES:
        raise CorpusError(
            "This Python came without the source text of its standard library.",
            "Use a Python that was installed with it (python.org, uv, pyenv, or your distribution's full package).",
        )
    # Neighbours in a directory resemble each other: a fixed shuffle spreads them.
    modules.sort(key=lambda module: hashlib.sha256(module[0].encode("utf-8", "surrogatepass")).digest())
    with writing(into) as splits:
        for number, (name, content) in enumerate(modules, start=1):
            text = content + SEPARATOR
            splits[split_of(name, HELD_OUT)](np.frombuffer(text, dtype=np.uint8), len(text))
            if number % 100 == 0 or number == len(modules):
                report("reading Python's standard library", number, len(modules))
