"""Starting the daemon: a process in a session of its own, which outlives the terminal that asked for it."""

from __future__ import annotations

import subprocess
import sys
import time

from orchestrator.daemon_log import STARTS, death_of, last_lines
from orchestrator.errors import LabError
from orchestrator.lab import DaemonIdentity, Lab, daemon_of
from orchestrator.settings import read_settings

START_PATIENCE_SECONDS = 60.0
SETTLED_SECONDS = 1.0
"""What kills a daemon at every start does so within this time of its being ready."""


def start(lab: Lab) -> DaemonIdentity:
    """Start the daemon in a session of its own and wait until it answers and stays. Raises LabError with its last
    word."""
    alive = daemon_of(lab)
    if alive is not None:
        return alive
    read_settings(lab.settings_file)
    try:
        lab.hidden.mkdir(exist_ok=True)
        log = lab.daemon_log.open("ab")
    except OSError as error:
        raise LabError(
            f"The lab {lab.root} cannot be written ({error.strerror}).", "Check the permissions of the directory."
        ) from error
    with log:
        begin = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.daemon", str(lab.root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    deadline, settled = time.monotonic() + START_PATIENCE_SECONDS, 0.0
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise LabError(_last_words(lab, begin), f"The whole story is in {lab.daemon_log}.")
        alive = daemon_of(lab)
        if alive is not None and alive.pid == process.pid:
            settled = settled or time.monotonic() + SETTLED_SECONDS
            if time.monotonic() >= settled:
                return alive
        time.sleep(0.05)
    raise LabError(f"The daemon has not answered within {START_PATIENCE_SECONDS:.0f} s.", f"Look at {lab.daemon_log}.")


def _last_words(lab: Lab, begin: int) -> str:
    lines = last_lines(lab, begin)
    words = death_of(lab) or (lines[-1] if lines and STARTS not in lines[-1] else "")
    return words or "The daemon ended at once without a word."
