"""Lock files that a crash left behind: removed when they are old and nobody holds them."""

from __future__ import annotations

import os
import time
from pathlib import Path

OLD_SECONDS = 10.0


def stale_locks(git_directory: Path, now: float | None = None) -> list[Path]:
    """Lock files of a repository that are older than OLD_SECONDS and that no process has open."""
    now = time.time() if now is None else now
    places = [git_directory, *(git_directory / "refs").rglob("*"), *(git_directory / "worktrees").glob("*")]
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            candidates = list(place.glob("*.lock"))
        else:
            continue
        for lock in candidates:
            try:
                old = now - lock.stat().st_mtime > OLD_SECONDS
            except OSError:
                continue
            if old and not _held(lock):
                found.append(lock)
    return found


def _held(path: Path) -> bool:
    """Whether any process that we may look at has the file open."""
    wanted = str(path.resolve())
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                for descriptor in os.listdir(f"/proc/{entry}/fd"):
                    if os.readlink(f"/proc/{entry}/fd/{descriptor}") == wanted:
                        return True
            except OSError:
                continue
    return False
