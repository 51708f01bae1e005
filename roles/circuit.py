"""A circuit breaker for each endpoint: after some failures in a row nobody asks it for a while.

All models at one address share one circuit. After the pause one request is let through to try (half open); if it
succeeds the circuit closes, else the pause doubles. The pattern is described in M. Nygard, Release It! (2007).
"""

from __future__ import annotations

import enum
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

FAILURES = 5
"""In a row, of single requests, until the circuit opens."""
FIRST_PAUSE = 15.0
LONGEST_PAUSE = 600.0
LONGEST_ASKED = 86_400.0
"""Seconds; a server that asks for a longer wait is asked again after a day."""
TRIAL_SECONDS = 120.0
"""After which a trial that was never heard of again no longer holds the others back."""


class State(enum.Enum):
    """Of a circuit: requests pass, none passes, or one passes to try."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half open"


@dataclass(frozen=True, slots=True)
class Shown:
    """A circuit as people see it; `seconds` until the next trial, 0 when closed."""

    base_url: str
    state: State
    failures: int
    seconds: float
    reason: str


class Circuit:
    """The circuit of one endpoint."""

    def __init__(
        self,
        base_url: str,
        *,
        failures: int = FAILURES,
        first_pause: float = FIRST_PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url
        self._most = failures
        self._first_pause = first_pause
        self._pause = first_pause
        self._clock = clock
        self._failures = 0
        self._reason = ""
        self._state = State.CLOSED
        self._until = 0.0
        self._asked_to_wait_until = 0.0

    @property
    def shown(self) -> Shown:
        """The state now."""
        closed = self._state is State.CLOSED
        seconds = 0.0 if closed else max(0.0, self._until - self._clock())
        return Shown(self._base_url, self._state, self._failures, seconds, self._reason)

    def may_ask(self) -> bool:
        """Whether a request may go out now. When a pause is over, the first that asks is the trial."""
        match self._state:
            case State.CLOSED:
                return True
            case State.OPEN | State.HALF_OPEN:
                if self._clock() < self._until:
                    return False
                self._state = State.HALF_OPEN
                self._until = self._clock() + TRIAL_SECONDS
                return True

    def worked(self) -> None:
        """The endpoint has answered, be it with a refusal."""
        self._state, self._failures, self._reason = State.CLOSED, 0, ""
        self._pause = self._first_pause

    def failed(self, reason: str) -> None:
        """The endpoint has not answered, or broken off; `reason` is for people."""
        self._failures += 1
        self._reason = reason
        if self._state is State.HALF_OPEN:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        elif self._state is State.OPEN or self._failures < self._most:
            return
        self._state = State.OPEN
        self._until = self._clock() + self._pause

    def abandoned(self) -> None:
        """A request was cancelled: when it was the trial, another may be."""
        if self._state is State.HALF_OPEN:
            self._state, self._until = State.OPEN, self._clock()

    def ask_later(self, seconds: float) -> None:
        """The endpoint asks everybody to wait."""
        self._asked_to_wait_until = max(self._asked_to_wait_until, self._clock() + min(seconds, LONGEST_ASKED))

    @property
    def wait_seconds(self) -> float:
        """How long everybody is asked to wait still."""
        return max(0.0, self._asked_to_wait_until - self._clock())


_circuits: weakref.WeakValueDictionary[str, Circuit] = weakref.WeakValueDictionary()


def circuit_of(base_url: str) -> Circuit:
    """The circuit that all models at this address share, for as long as any of them lives."""
    circuit = _circuits.get(base_url)
    if circuit is None:
        circuit = _circuits[base_url] = Circuit(base_url)
    return circuit


def circuits() -> list[Shown]:
    """Every endpoint in use, by address."""
    return sorted((circuit.shown for circuit in list(_circuits.values())), key=lambda one: one.base_url)
