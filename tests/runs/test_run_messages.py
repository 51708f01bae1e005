"""What a run leaves in the kernel is there for nobody: not for another run, not for what scores it."""

from __future__ import annotations

import ctypes
import platform
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.runs import LocalExecutor
from orchestrator.runs.messages import CALLS
from tests.runs.stand_ins import SCORER, is_scored, result_of, spec_for

JOIN_SESSION_KEYRING = 1
SPOKEN = f"""
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
ADD, _, KEYCTL, SYSLOG = {CALLS}
def call(*words):
    return libc.syscall(*words), ctypes.get_errno()
for ring in (-3, -4):  # the session's, the user's
    print("add", *call(ADD, b"user", b"autolab", b"learnt", ctypes.c_size_t(6), ring))
    print("search", *call(KEYCTL, 10, ring, b"user", b"autolab", 0))
print("log", *call(SYSLOG, 10, None, 0))
"""


@pytest.mark.skipif(not CALLS, reason="no filter is known for this processor")
@pytest.mark.parametrize("clock", ["cpu", "wall"])
async def test_neither_a_run_nor_its_scorer_leaves_a_key_or_reads_the_kernels_log(tmp_path: Path, clock: str) -> None:
    keyctl = {"x86_64": 250, "aarch64": 219}[platform.machine()]
    ctypes.CDLL(None).syscall(keyctl, JOIN_SESSION_KEYRING, None)  # as every login has one, and all below it share it
    spec = replace(spec_for(tmp_path, SPOKEN + "save()\n", SPOKEN + SCORER), sandbox="landlock", clock=clock)
    spec = replace(
        spec, env={}, train_command=["/usr/bin/env", f"RUN_DIR={tmp_path / 'run' / 'out'}", *spec.train_command]
    )
    assert is_scored(await result_of(LocalExecutor([]), spec))
    said = [
        line
        for line in (tmp_path / "run" / "log").read_text().splitlines()
        if line.split()[0] in ("add", "search", "log")
    ]
    assert said == ["add -1 38", "search -1 38", "add -1 38", "search -1 38", "log -1 38"] * 2  # no such call
