"""The daemon's side of the recorder: one child process, orders one after the other, each answered or ordered again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Collection
from typing import Any

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.runs.foothold import Foothold
from orchestrator.tracking.leaving import take_away_what_was_made_anew
from orchestrator.tracking.surroundings import surroundings

ORDER_SECONDS = 60.0
"""The longest that an order may take; Trackio itself waits 10 s for its lock."""

MOST_BYTES = 2**20
"""Of an answer."""


class NotWritten(LabError):
    """The recorder is well, and could not carry out this one order."""


class Dictation:
    """Starts the recorder with the first order, keeps it, and starts another when it has died or hangs."""

    def __init__(
        self, lab: Lab, project: str, *, secrets: Collection[str] = (), seconds: float = ORDER_SECONDS
    ) -> None:
        """`secrets` are the names of environment variables that the child must not have."""
        self._lab = lab
        self._project = project
        self._secrets = secrets
        self._seconds = seconds
        self._child: asyncio.subprocess.Process | None = None
        self._foothold: Foothold | None = None  # of the child
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Of the child, while there is one."""
        return self._child.pid if self._child is not None else None

    async def order(self, order: dict[str, Any]) -> None:
        """Returns when it has been carried out. Raises LabError with the reason; then it may be ordered again."""
        async with self._turn:
            try:
                answer = await asyncio.wait_for(self._ask(json.dumps(order)), self._seconds)
            except TimeoutError:
                await self._kill()
                raise LabError(f"Trackio has not written anything within {self._seconds:.0f} s.") from None
            except (OSError, ValueError) as error:
                await self._kill()
                raise LabError(f"The process that writes to Trackio has ended ({error}).") from error
            except asyncio.CancelledError:  # an order half given would be answered to the next
                await self._kill()
                raise
        if "failed" in answer:
            raise NotWritten(f"{answer['failed']}.")

    async def _ask(self, line: str) -> dict[str, Any]:
        child = self._child = self._child or await self._start()
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(line.encode() + b"\n")
        await child.stdin.drain()
        answer = json.loads(await child.stdout.readline() or b"null")
        if not isinstance(answer, dict):
            raise ValueError("no answer")
        return answer

    async def _start(self) -> asyncio.subprocess.Process:
        for place in (self._lab.hidden, self._lab.trackio):  # of a lab that is gone nothing is made anew
            await asyncio.to_thread(place.mkdir, exist_ok=True)
        self._foothold = Foothold(self._lab.root, self._lab.database, self._lab.trackio)
        words = ("-m", "orchestrator.tracking.recorder", str(self._lab.root), self._project)
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=surroundings(self._lab.trackio, without=self._secrets),
            start_new_session=True,
            cwd="/",
            limit=MOST_BYTES,
        )

    async def close(self) -> None:
        """The child ends by itself when nobody can order any more; one that does not is killed."""
        async with self._turn:
            child, self._child = self._child, None
            if child is None:
                return
            assert child.stdin is not None
            child.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), 5.0)
            await self._end(child)

    async def _kill(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await self._end(child)

    async def _end(self, child: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        if self._foothold is not None and self._foothold.gone:  # one that was killed has not looked
            await asyncio.to_thread(take_away_what_was_made_anew, self._lab)
