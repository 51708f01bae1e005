"""What a process works in, and whether it is still there: a lab that was deleted or moved away is not made anew."""

from __future__ import annotations

import os
from pathlib import Path

Which = tuple[int, int] | None


class Foothold:
    """Files and directories that must stay the very ones that they are."""

    def __init__(self, *paths: Path) -> None:
        self._held = {path: _which(path) for path in paths}

    @property
    def gone(self) -> bool:
        """Whether one of them was deleted or moved, or another stands in its place."""
        return any(held is not None and _which(path, held) != held for path, held in self._held.items())


def _which(path: Path, unknown: Which = None) -> Which:
    """Device and inode; None where nothing stands, `unknown` where nobody can say."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return unknown
    return found.st_dev, found.st_ino
