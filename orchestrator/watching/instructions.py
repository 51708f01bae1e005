"""What a person writes for the lab, in files of their own: that a change of it was seen, and when it counts."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from pathlib import Path

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.settings import read_settings

LOOK_SECONDS = 2.0
SETTLE_SECONDS = 0.5
"""For an editor to finish, and for the command `set`, which writes autolab.toml and then goes by it."""


class Instructions:
    """`program.md`, `roles/*.md` and `autolab.toml`; what changed while no daemon was there is read at its start."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[str, str] | None = None

    async def run(self) -> None:
        """For ever."""
        while True:
            with contextlib.suppress(LabError):  # a full disk: the engine tells of it
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Tell once of each file that is another than at the look before. Raises LabError."""
        found, before = await asyncio.to_thread(self._read), self._known
        if before is not None and found != before:
            await asyncio.sleep(SETTLE_SECONDS)
            found = await asyncio.to_thread(self._read)
        self._known = found
        for name in [one for one in sorted(found) if before is not None and found[one] != before.get(one)]:
            if counts := await asyncio.to_thread(self._counts, name):
                await self._context.store.event("lab", "autolab", f"{name} has changed: {counts}")

    def _read(self) -> dict[str, str]:
        lab = self._context.lab
        files = (lab.program_file, lab.settings_file, *lab.roles.glob("*.md"))
        return {path.relative_to(lab.root).as_posix(): _hash(path) for path in files if path.is_file()}

    def _counts(self, name: str) -> str:
        """From when on it counts; empty where nothing does."""
        lab = self._context.lab
        if name == lab.program_file.name:
            return "agents read it with their next job"
        if name != lab.settings_file.name:
            return "its agents go by it from the next start of the lab on"
        try:
            written = read_settings(lab.settings_file)
        except LabError as error:
            return str(error)
        return "" if written == self._context.settings else "the lab goes by it from its next start on"


def _hash(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""
