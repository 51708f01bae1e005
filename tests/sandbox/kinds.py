"""Every kind of sandbox that this machine can be made to offer, and what a program says in one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.sandbox import View, Walls, enclose


def bubblewrap(place: Path) -> Walls:
    program = shutil.which("bwrap")
    if program is None:
        pytest.skip("bubblewrap is not installed")
    return Walls("bubblewrap", place, program)


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
