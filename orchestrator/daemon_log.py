"""What the daemon writes into its log of itself: that it starts, errors with their traceback, and what it died of."""

from __future__ import annotations

import contextlib
import os
import traceback

from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.runs.log_text import inert
from orchestrator.store.records import utc_now

STARTS = "the daemon starts"
DIED = "the daemon died: "
TAIL_BYTES = 2**18
LONGEST = 400


def start_line() -> str:
    return f"{utc_now()} {STARTS} (process {os.getpid()})"


def death_lines(error: Exception) -> str:
    """With where it happened, unless it is something that a person can put right."""
    where = "" if isinstance(error, LabError) else "".join(traceback.format_exception(error))
    return f"{where}{utc_now()} {DIED}{in_a_line(error)}"


def note_mishap(lab: Lab, sentence: str, error: Exception) -> None:
    """An error that whoever answers commands outlives, with where it happened."""
    with contextlib.suppress(OSError), lab.daemon_log.open("a", encoding="utf-8", errors="replace") as log:
        log.write(f"{utc_now()} {sentence}\n{''.join(traceback.format_exception(error))}")


def in_a_line(error: Exception) -> str:
    """What an error says, by its kind too unless it is one of our own."""
    said = str(error) if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
    return " ".join(inert(said).split())[:LONGEST]


def death_of(lab: Lab) -> str:
    """What the daemon died of since it was started last; nothing where it did not, or was killed without a word."""
    for line in reversed(last_lines(lab)):
        if STARTS in line:
            return ""
        if DIED in line:
            return line.partition(DIED)[2]
    return ""


def last_lines(lab: Lab, begin: int = 0) -> list[str]:
    """The end of the log, from the byte `begin` on."""
    try:
        with lab.daemon_log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(begin, size - TAIL_BYTES))
            return inert(log.read().decode("utf-8", errors="replace")).strip().splitlines()
    except OSError:
        return []
