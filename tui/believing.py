"""The baseline with what is believed of it, reckoned beside the room: it takes longer than a frame in a large lab."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from orchestrator.store.reader import Reader
from orchestrator.views import Baseline, baseline_of, scored_baseline

SETTLE_SECONDS = 10.0
"""The least between two reckonings in a lab that changes all the time."""

SMALL = 300
"""Scored runs up to which the reckoning takes no longer than a frame, and is simply done."""


class Believing:
    """The newest baseline that is known; a better one is on its way while the scores have changed."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._known: Baseline | None = None
        self._of: tuple[float, ...] | None = None  # which scores it was reckoned from
        self._work: asyncio.Task[Baseline] | None = None
        self._work_of: tuple[float, ...] | None = None
        self._not_before = 0.0

    async def baseline(self, reader: Reader) -> Baseline:
        """Of now, as far as it is known at once: noise and belief may be those of a moment ago."""
        scores = await _scores(reader)
        if scores != self._of and scores[1] <= SMALL:
            self._known, self._of = await baseline_of(reader), scores
        elif scores != self._of:
            self._begin(scores)
        if self._known is not None and self._of == scores:
            return self._known
        return await _at_once(reader, self._known)

    def _begin(self, scores: tuple[float, ...]) -> None:
        if self._work is None and time.monotonic() >= self._not_before:
            self._work_of = scores
            self._work = asyncio.create_task(asyncio.to_thread(_reckon, self._database), name="believing")

    def news(self) -> bool:
        """Whether a reckoning has ended since this was asked last."""
        if self._work is None or not self._work.done():
            return False
        work, self._work = self._work, None
        self._not_before = time.monotonic() + SETTLE_SECONDS
        if work.cancelled() or work.exception() is not None:
            return False
        self._known, self._of = work.result(), self._work_of
        return True

    async def end(self) -> None:
        """Wait for a reckoning under way: a thread cannot be called off."""
        if self._work is not None:
            await asyncio.wait([self._work])


async def _scores(reader: Reader) -> tuple[float, ...]:
    """What the belief depends on, as a few numbers that change with it."""
    row = await reader.row(
        "SELECT (SELECT ifnull(max(seq), 0) FROM masters) AS master, count(*) AS runs, ifnull(max(id), 0) AS newest,"
        " (SELECT total(delta) FROM experiments) AS gained FROM runs WHERE val_bpb IS NOT NULL AND NOT void"
    )
    assert row is not None
    return int(row["master"]), int(row["runs"]), int(row["newest"]), float(row["gained"])


async def _at_once(reader: Reader, known: Baseline | None) -> Baseline:
    """Master and its score as they are; noise and belief from the reckoning before."""
    scored = await scored_baseline(reader)
    if known is None:
        return scored
    return replace(
        scored,
        noise=known.noise,
        believed=known.believed,
        promotions=known.promotions,
        expected_false=known.expected_false,
        gains=known.gains,
    )


def _reckon(database: Path) -> Baseline:
    """In a thread of its own, with a connection of its own."""

    async def reckon() -> Baseline:
        async with Reader(database) as reader:
            return await baseline_of(reader)

    return asyncio.run(reckon())
