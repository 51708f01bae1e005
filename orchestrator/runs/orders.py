"""What a supervisor is told from outside: signals, kept until it is ready to obey."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import deque
from enum import Enum


class Order(Enum):
    """The signal that carries each order."""

    STOP = signal.SIGTERM
    KILL = signal.SIGINT
    PAUSE = signal.SIGUSR1
    RESUME = signal.SIGUSR2


class Orders:
    """From its making on, signals are orders. Made before anybody can know the supervisor's pid, so none is missed."""

    def __init__(self) -> None:
        self._waiting: deque[Order] = deque()
        self.wakeup, waker = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(waker, False)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # wakes the supervisor, no more
        for order in Order:
            signal.signal(order.value, lambda number, _: self._waiting.append(Order(signal.Signals(number))))

    def take(self) -> list[Order]:
        """The orders that came since the last time, in their order."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.wakeup, 4096)
        taken = []
        while self._waiting:
            taken.append(self._waiting.popleft())
        return taken
