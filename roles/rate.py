"""A model's rate limit: so many requests and tokens in any minute, for all agents that ask this model together.

Requests wait in the order in which they came. Tokens are estimated before a request and corrected by what the server
counted after it.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

WINDOW = 60.0
"""Seconds."""


@dataclass(slots=True)
class Entry:
    """A request that was let through at `at`, and the tokens that it takes."""

    at: float
    tokens: int


class Rate:
    """At most `requests` and `tokens` within any `window` seconds; 0 is no limit. A request larger than the whole
    limit goes alone."""

    def __init__(
        self,
        requests: int = 0,
        tokens: int = 0,
        *,
        window: float = WINDOW,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._requests = requests
        self._tokens = tokens
        self._window = window
        self._clock = clock
        self._sleep = sleep
        self._entries: deque[Entry] = deque()
        self._turn = asyncio.Lock()

    @property
    def limited(self) -> bool:
        return bool(self._requests or self._tokens)

    async def admit(self, tokens: int, on_wait: Callable[[float], None]) -> Entry:
        """Wait until a request of about `tokens` fits; `on_wait` gets the seconds before each wait."""
        async with self._turn:
            while (seconds := self._wait(tokens)) > 0:
                on_wait(seconds)
                await self._sleep(seconds)
            entry = Entry(self._clock(), tokens)
            if self.limited:
                self._entries.append(entry)
            return entry

    def _wait(self, tokens: int) -> float:
        """Seconds until there is room, as far as can be told now."""
        now = self._clock()
        while self._entries and self._entries[0].at <= now - self._window:
            self._entries.popleft()
        left = deque(self._entries)
        until = now
        while left and self._full(left, tokens):
            until = left.popleft().at + self._window
        return until - now

    def _full(self, entries: deque[Entry], tokens: int) -> bool:
        if self._requests and len(entries) >= self._requests:
            return True
        return bool(self._tokens) and sum(entry.tokens for entry in entries) + tokens > self._tokens


_rates: weakref.WeakValueDictionary[tuple[str, str, int, int], Rate] = weakref.WeakValueDictionary()


def rate_of(base_url: str, model: str, requests: int, tokens: int) -> Rate:
    """The rate that everybody who asks this model shares, for as long as any of them lives."""
    key = (base_url, model, requests, tokens)
    rate = _rates.get(key)
    if rate is None:
        rate = _rates[key] = Rate(requests, tokens)
    return rate
