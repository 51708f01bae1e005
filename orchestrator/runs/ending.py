"""The last step of a run: its result is written, whatever the run has done to its directory or the disk."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from orchestrator.runs import claim
from orchestrator.runs.files import clear_the_way, open_up, write_whole
from orchestrator.runs.foothold import Foothold
from orchestrator.runs.identity import Identity
from orchestrator.runs.result import RunResult, write_result

RESERVE = ".reserve"
RESERVE_BYTES = 2**16
ATTEMPTS = 600
SECONDS_BETWEEN = 1.0


def utc_now() -> str:
    """ISO 8601."""
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"


def make_reserve(run_dir: Path) -> None:
    """Room on the disk that is given back for the result, so that a full disk does not cost it."""
    with contextlib.suppress(OSError):
        write_whole(run_dir / RESERVE, os.urandom(RESERVE_BYTES), sync=True)


def finish(run_dir: Path, identity: Identity, result: RunResult, foothold: Foothold) -> int:
    """Write the result, unless the lab is gone; returns the exit code of the supervisor."""
    result = replace(result, ended_at=utc_now())
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(SECONDS_BETWEEN)
        if foothold.gone:
            return 1
        try:
            open_up(run_dir)
            for name in (RESERVE, "home", "out"):
                with contextlib.suppress(OSError):
                    clear_the_way(run_dir / name)
            claim.restore(run_dir, identity)
            write_result(run_dir, result)
            return 0
        except OSError as error:
            trouble = error
    print(f"the result could not be written ({trouble}): {result}", file=sys.stderr)
    return 1
