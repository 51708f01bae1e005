"""Keys one after the other, also where they all come at once.

Over a slow line a person types ahead, and many keys arrive in one read. Textual hands each to the widget that has the
focus at that moment: the letters after a `:` would go to a table before the command line stands there, and what is
bound further up is carried out behind letters that were typed after it. So the next key is looked at when whatever the
one before does is done, down to the focus in a window that it has opened.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.dom import DOMNode
from textual.events import Event, Key, Paste
from textual.message_pump import MessagePump
from textual.screen import ModalScreen

OPENS = "opens a window"
"""The name of a worker (as Textual calls it) that reads first and then may open a window: keys wait for that."""

PATIENCE_SECONDS = 2.0
"""The longest that one key holds up those after it."""

FOCUS_SECONDS = 0.5
"""The longest that a window is waited for to have a place to type into; some have none."""

STEP_SECONDS = 0.002


class TypedAhead:
    """The keys and pastes of one app; `answer` is what it does with one of them."""

    def __init__(self, app: App[Any], answer: Callable[[Event], Awaitable[None]]) -> None:
        self._app = app
        self._answer = answer
        self._waiting: deque[Event] = deque()
        self._work: asyncio.Task[None] | None = None

    async def take(self, event: Key | Paste) -> None:
        """Answer it at once, or when its turn comes."""
        if self._work is not None:
            self._waiting.append(event)
            return
        target = self._target
        await self._answer(event)
        self._work = asyncio.create_task(self._go_on(target), name="typed ahead")

    @property
    def _target(self) -> DOMNode:
        return self._app.focused or self._app.screen

    @property
    def _opening(self) -> bool:
        return any(one.name == OPENS and not one.is_finished for one in self._app.workers)

    async def _go_on(self, target: DOMNode) -> None:
        """Until nothing waits any more."""
        try:
            while True:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._done(target), PATIENCE_SECONDS)
                if not self._waiting:
                    return
                target = self._target
                await self._answer(self._waiting.popleft())
        except Exception as error:  # what a key does has failed: the app says so, as it does elsewhere
            self._app._handle_exception(error)
        finally:
            self._work = None

    async def _done(self, target: DOMNode) -> None:
        """When the key has gone round by everyone above its target, and what it opened is there."""
        for node in target.ancestors_with_self:
            await _through(node)
        before = self._app.screen
        while self._app.screen is before and self._opening:
            await asyncio.sleep(STEP_SECONDS)
        screen = self._app.screen
        if not screen.is_mounted:
            await screen._mounted_event.wait()
        await _through(screen)
        if isinstance(screen, ModalScreen):
            loop = asyncio.get_running_loop()
            until = loop.time() + FOCUS_SECONDS
            while screen is self._app.screen and screen.focused is None and loop.time() < until:
                await asyncio.sleep(STEP_SECONDS)


async def _through(node: MessagePump) -> None:
    """When a node has looked at every message that it has by now."""
    reached = asyncio.Event()
    if node.is_running and node.call_later(reached.set):
        await reached.wait()
