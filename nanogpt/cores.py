"""Sharing arithmetic out among processor cores, for the scorer. numpy works on them at once: it lets go of Python's
lock while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

MOST_CORES = 16
"""Beyond these it is the memory that limits."""


def cores_for(profile: str) -> int:
    """On `cpu` a slot is one core; beside a GPU the processor has nothing else to do while its run is scored."""
    return 1 if profile == "cpu" else min(MOST_CORES, len(os.sched_getaffinity(0)))


def in_shares(count: int, cores: int, work: Callable[[int, int], None]) -> None:
    """Call `work(start, stop)` for consecutive shares of range(count), one a core. Raises what `work` raises."""
    if cores == 1:
        work(0, count)
        return
    bounds = [count * number // cores for number in range(cores + 1)]
    with ThreadPoolExecutor(cores) as pool:
        for _ in pool.map(work, bounds[:-1], bounds[1:]):
            pass
