"""Small files that the room keeps for the person at the keyboard, outside every lab: whole or not there at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from platformdirs import user_state_path


def state_directory() -> Path:
    """Where the platform keeps what a program remembers for a user; `$XDG_STATE_HOME/autolab` on Linux."""
    return user_state_path("autolab", appauthor=False)


def write_whole(path: Path, text: str) -> None:
    """Replace the file in one move, readable by its owner alone. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
        os.replace(name, path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def shortened(path: Path) -> str:
    """The path as people write it: `~` for their home."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
