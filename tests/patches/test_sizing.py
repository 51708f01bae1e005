"""The program that builds a patched model before any run, when the patch is a hostile one: bounded and gone."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.patches import sizing

PYTHON = [sys.executable, "-S", "-c"]


def test_what_it_prints_comes_back() -> None:
    assert sizing.bounded([*PYTHON, "print('{}')"], {}).stdout == "{}\n"


def test_the_patch_s_own_code_runs_behind_the_filters_of_a_run(bare: Path, tmp_path: Path) -> None:
    """It is built in the sandbox like a run, where a key or the time of a device file would tell the run something."""

    async def refused() -> list[str]:
        async with opened(Lab(bare)) as context:
            if not context.walls.sealed:
                pytest.skip("no sandbox works here")
            return await sizing.against_size(context, tmp_path)

    (tmp_path / "train.py").write_text(
        "filters = open('/proc/self/status').read().split('Seccomp_filters:')[1].split()[0]\n"
        "raise SystemExit(f'behind {filters} filters')\n"
    )
    shutil.copy(bare / "prepare.py", tmp_path)
    (said,) = asyncio.run(refused())
    assert "behind 3 filters" in said


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import os, time\nwhile True:\n    os.fork() or time.sleep(60)",
    ],
    ids=["hangs", "forks without end"],
)
def test_a_program_that_breaks_a_bound_is_killed_with_its_children(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "PROBE_SECONDS", 3.0)
    begin = time.monotonic()
    with pytest.raises(subprocess.TimeoutExpired):
        sizing.bounded([*PYTHON, f"{code}  # of test {os.getpid()}"], {})
    assert time.monotonic() - begin < 20
    time.sleep(0.2)
    mark = f"# of test {os.getpid()}"
    left = [one for one in psutil.process_iter(["cmdline"]) if mark in " ".join(one.info["cmdline"] or [])]
    assert not left


@pytest.mark.parametrize("code", ["print('x' * 2**24)", "x = bytearray(2**45)"], ids=["output", "memory"])
def test_output_and_memory_are_bounded(code: str) -> None:
    done = sizing.bounded([*PYTHON, code], {})
    assert done.returncode != 0 and len(done.stdout) <= 2**21
