"""Which servers of models do not answer, kept in the store for whoever looks at the lab; circuits are the daemon's."""

from __future__ import annotations

import asyncio
import json

from orchestrator.store.writer import Writer
from orchestrator.views import DEAD_ENDPOINTS
from roles.circuit import State, circuits

LOOK_SECONDS = 1.0


async def watch_endpoints(store: Writer) -> None:
    """For ever; writes when something changes, and tells of it once."""
    known: dict[str, str] | None = None  # what a daemon before this one knew is over
    while True:
        asked = circuits()
        dead = {shown.base_url: shown.reason for shown in asked if shown.state is not State.CLOSED}
        if known is None or dead.keys() != known.keys():
            before = known or {}
            alive = {shown.base_url for shown in asked}.difference(dead)
            told = [f"{url} {dead[url]}; nobody asks it but for a trial now and then" for url in dead.keys() - before]
            told += [f"{url} answers again" for url in sorted(alive & before.keys())]
            await store.set_meta(DEAD_ENDPOINTS, json.dumps(dead, sort_keys=True), reason="; ".join(told))
        known = dead
        await asyncio.sleep(LOOK_SECONDS)
