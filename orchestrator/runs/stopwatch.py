"""Wall seconds that stand still while the run is paused."""

from __future__ import annotations

import time
from collections.abc import Callable


class Stopwatch:
    """Runs from its making on."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._begun = now()
        self._paused_at: float | None = None
        self._paused_before = 0.0

    @property
    def paused(self) -> bool:
        return self._paused_at is not None

    @property
    def paused_seconds(self) -> float:
        """Of all pauses so far."""
        current = self._now() - self._paused_at if self._paused_at is not None else 0.0
        return self._paused_before + current

    @property
    def seconds(self) -> float:
        """Since the start, pauses left out."""
        return self._now() - self._begun - self.paused_seconds

    def pause(self) -> None:
        if self._paused_at is None:
            self._paused_at = self._now()

    def resume(self) -> None:
        self._paused_before = self.paused_seconds
        self._paused_at = None
