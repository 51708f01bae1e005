"""Alerts to the webhook of `[alerts]`: each at least once, in order, tried a bounded number of times.

A try is a child process with a deadline (orchestrator.tracking.webhook), so a dead server holds up nothing. What has
been settled (taken, refused or given up) stands in `meta`; whatever is newer is sent again after a crash.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.tracking.webhook import POST_SECONDS, Outcome, Posted
from orchestrator.watching.alerts import Alert, alerts_after, newest_event, reaches

LOOK_SECONDS = 2.0
PAUSES = (2.0, 10.0, 30.0, 120.0, 300.0)
"""Seconds after the first failure in a row, the second, and so on; the last of them goes on."""

MOST_TRIES = 12
"""Failures that an alert waits through (about half an hour) before it is given up."""

MOST_EVENTS = 200
DEADLINE_SECONDS = POST_SECONDS + 10.0
FINISH_SECONDS = 5.0
SETTLED = "alerts_settled"
"""The key in `meta` of the newest event whose alert needs no more sending; empty while there is no webhook."""

Post = Callable[[str, dict[str, object]], Awaitable[Posted]]


@dataclass(slots=True)
class _Waiting:
    alert: Alert
    failures: int = 0  # of the webhook, since it waits


class Delivery:
    """Sends what is new until it is cancelled. `post` posts an alert to the URL in a variable."""

    def __init__(self, context: Context, post: Post | None = None, pauses: Sequence[float] = PAUSES) -> None:
        self._context = context
        self._post = post if post is not None else post_by_child
        self._pauses = pauses
        self._waiting: list[_Waiting] = []
        self._scanned: int | None = None
        self._failures = 0  # in a row
        self._given_up = 0  # since the webhook last took one

    async def run(self) -> None:
        while True:
            pause = LOOK_SECONDS
            with contextlib.suppress(LabError):  # the next look tries again
                pause = max(pause, await self.look())
            await asyncio.sleep(pause)

    async def finish(self) -> None:
        """One more try for what the end has brought, unless the webhook is dead; the next start sends the rest."""
        if self._failures == 0:
            with contextlib.suppress(LabError, TimeoutError):
                await asyncio.wait_for(self.look(), FINISH_SECONDS)

    async def look(self) -> float:
        """Send what waits, until something fails; returns the seconds to wait before the next try."""
        if not await self._configured():
            return 0.0
        await self._take_up()
        while self._waiting:
            posted = await self._send(self._waiting[0].alert)
            match posted.outcome:
                case Outcome.TAKEN:
                    await self._settle(1)
                    await self._tell_recovery()
                case Outcome.REFUSED:
                    await self._settle(1)
                    await self._tell_failure(posted.reason, "such an alert is not sent again")
                case Outcome.FAILED:
                    return await self._failed(posted)
        return 0.0

    async def _configured(self) -> bool:
        """Whether there is a webhook. Who names one hears of what comes from then on, not of what was before."""
        store, variable = self._context.store, self._context.settings.alerts.webhook_url_env
        known = await store.meta(SETTLED)
        if variable is None:
            if known:
                await store.set_meta(SETTLED, "")
            return False
        if not known:
            await store.set_meta(SETTLED, str(await newest_event(store)))
        if os.environ.get(variable):
            return True
        if self._failures == 0:
            remedy = "set it and start the lab again, and those that wait are sent"
            await self._tell_failure(f"the environment variable {variable} is not set", remedy)
        return False

    async def _take_up(self) -> None:
        store, lowest = self._context.store, self._context.settings.alerts.lowest
        if self._scanned is None:
            self._scanned = int(await store.meta(SETTLED))
        while alerts := await alerts_after(store, self._scanned, MOST_EVENTS):
            self._scanned = alerts[-1].id
            self._waiting += [_Waiting(alert) for alert in alerts if reaches(alert.level, lowest)]

    async def _send(self, alert: Alert) -> Posted:
        variable = self._context.settings.alerts.webhook_url_env
        assert variable is not None
        return await self._post(variable, {**alert.as_json(), "lab": self._context.lab.root.name})

    async def _settle(self, number: int) -> None:
        """The oldest `number` need no more sending."""
        settled, self._waiting = self._waiting[:number], self._waiting[number:]
        await self._context.store.set_meta(SETTLED, str(settled[-1].alert.id))

    async def _failed(self, posted: Posted) -> float:
        """All that wait have waited through one more failure; the oldest may have had enough of them."""
        for one in self._waiting:
            one.failures += 1
        enough = sum(one.failures >= MOST_TRIES for one in self._waiting)
        if enough:
            await self._settle(enough)
            self._given_up += enough
        pause = self._pauses[min(self._failures, len(self._pauses) - 1)]
        await self._tell_failure(posted.reason, f"each alert is tried {MOST_TRIES} times at most")
        return max(pause, posted.wait_seconds)

    async def _tell_failure(self, reason: str, so: str) -> None:
        """Once for every row of failures, however long it is."""
        self._failures += 1
        if self._failures == 1:
            await self._context.store.event("lab", "autolab", f"the webhook takes no alerts: {reason}; {so}")

    async def _tell_recovery(self) -> None:
        if self._failures:
            lost = f"; {self._given_up} were given up meanwhile" if self._given_up else ""
            await self._context.store.event("lab", "autolab", f"the webhook takes alerts again{lost}")
        self._failures = self._given_up = 0


async def post_by_child(variable: str, alert: dict[str, object]) -> Posted:
    """One try, by a process that is killed when it takes too long."""
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "orchestrator.tracking.webhook", variable),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:  # no memory, no more processes: it may pass
        return Posted(Outcome.FAILED, f"no process to post with ({error.strerror})")
    try:
        output, _ = await asyncio.wait_for(child.communicate(json.dumps(alert).encode()), DEADLINE_SECONDS)
        said = json.loads(output)
        return Posted(Outcome(said["outcome"]), str(said["reason"]), float(said["wait_seconds"]))
    except TimeoutError:
        return Posted(Outcome.FAILED, f"no answer within {DEADLINE_SECONDS:g} s")
    except (OSError, ValueError, KeyError, TypeError):
        return Posted(Outcome.FAILED, "the process that posts has died")
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
