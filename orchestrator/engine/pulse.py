"""The daemon's sign of life: the time on the file that names it, renewed while its event loop turns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

from orchestrator.lab import Lab

BEAT_SECONDS = 3.0


async def beat(lab: Lab) -> None:
    """For ever. Costs no row of the store, so that a room is not woken by it."""
    while True:
        now = time.time()
        with contextlib.suppress(OSError):  # not there yet, or the disk is in trouble: the silence tells
            os.utime(lab.identity_file, (now, now))
        await asyncio.sleep(BEAT_SECONDS)
