"""Whose a run is: `identity.json` in its directory, made once, by a supervisor or by whoever calls the run off.

The file appears complete and under its name in one step, so that there is no moment at which a run is taken and nobody
knows by whom. Whoever makes it first decides: a supervisor that comes late finds the run called off and goes.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Any

from orchestrator.runs.files import read_json, sync_directory, write_json
from orchestrator.runs.identity import Identity

NAME = "identity.json"
TAKEN = 3
"""Exit code of a supervisor whose run is somebody's already."""

CALLED_OFF: dict[str, Any] = {"called_off": True}


class Unowned(Enum):
    """A run without a supervisor to ask."""

    YET = "nobody has taken it yet"
    CALLED_OFF = "nobody can take it any more"
    UNKNOWN = "taken, but it cannot be read by whom"


def take(run_dir: Path, identity: Identity) -> bool:
    """Make a run one's own; false when it is somebody's already. Raises OSError."""
    return _make(run_dir, asdict(identity))


def call_off(run_dir: Path) -> bool:
    """See to it that a run never starts; false when it is somebody's already. Raises OSError."""
    return _make(run_dir, CALLED_OFF)


def owner(run_dir: Path) -> Identity | Unowned:
    """The supervisor that took a run, dead or alive, or why there is none."""
    values = read_json(run_dir / NAME)
    if values is None:
        return Unowned.UNKNOWN if os.path.lexists(run_dir / NAME) else Unowned.YET
    if values == CALLED_OFF:
        return Unowned.CALLED_OFF
    try:
        return Identity(int(values["pid"]), int(values["start_time"]), str(values["boot_id"]))
    except (KeyError, TypeError, ValueError):
        return Unowned.UNKNOWN


def restore(run_dir: Path, identity: Identity) -> bool:
    """Put one's own claim back where the run has tampered with it; true when it had. Raises OSError."""
    if owner(run_dir) == identity:
        return False
    run_dir.mkdir(parents=True, exist_ok=True)
    write_json(run_dir / NAME, asdict(identity), sync=True)
    return True


def _make(run_dir: Path, values: dict[str, Any]) -> bool:
    temporary = run_dir / f".{NAME}.{os.getpid()}.{os.urandom(4).hex()}"
    write_json(temporary, values, sync=True)
    try:
        os.link(temporary, run_dir / NAME)
    except FileExistsError:
        return False
    except OSError:
        if os.path.lexists(run_dir / NAME):
            return False
        return _make_without_link(run_dir, values)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(run_dir)
    return True


def _make_without_link(run_dir: Path, values: dict[str, Any]) -> bool:
    """For file systems without hard links; here the content follows the name by a moment."""
    try:
        descriptor = os.open(run_dir / NAME, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(values).encode())
        file.flush()
        os.fsync(file.fileno())
    return True
