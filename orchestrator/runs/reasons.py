"""Why a process ended, in the words that help a person: from its exit code and the last it printed."""

from __future__ import annotations

import re
import signal

from orchestrator.runs.log_text import inert

_MEMORY = re.compile(
    r"out of memory|MemoryError|can't allocate memory|cannot allocate memory|std::bad_alloc|DefaultCPUAllocator",
    re.IGNORECASE,
)
LONGEST = 300


def ran_out_of_memory(last: str, exit_code: int) -> bool:
    """By what it printed last, or by a KILL that the supervisor did not send."""
    tail = "\n".join(last.splitlines()[-30:])
    return exit_code == -signal.SIGKILL or bool(_MEMORY.search(tail))


def crash_reason(last: str, exit_code: int) -> str:
    """The last line of the traceback, else the last line printed, else how it exited."""
    lines = [line.strip() for line in inert(last).splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt|Exit|Warning)\b.*", line)]
    if errors and "Traceback (most recent call last):" in "\n".join(lines):
        return errors[-1][:LONGEST]
    if exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        return f"ended by {name}"
    return f"exit status {exit_code}: {lines[-1][:LONGEST]}" if lines else f"exit status {exit_code}"
