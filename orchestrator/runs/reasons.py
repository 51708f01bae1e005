"""Why a process ended, in the words that help a person: from its exit code and the last it printed."""

from __future__ import annotations

import re
import signal
from pathlib import Path

from orchestrator.runs.log_text import inert

_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|MemoryError|can't allocate memory|cannot allocate memory|std::bad_alloc"
    r"|DefaultCPUAllocator",
    re.IGNORECASE,
)
_HEADER = re.compile(r"^(?:\[rank\d+\]: )?\s*(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\):$")
_PLACE = re.compile(r'^\s*File "(?P<file>[^"]+)", line (?P<line>\d+)')
_EXCEPTION = re.compile(r"^[A-Za-z_][\w.]*(?::|$)")
LONGEST = 300


def ran_out_of_memory(last: str) -> bool:
    """By what it printed last: Python, torch and the C++ library say so."""
    return bool(_MEMORY.search("\n".join(last.splitlines()[-30:])))


def kernel_kills() -> int | None:
    """How many processes the kernel has killed for memory since boot; None where it does not tell."""
    try:
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    except (OSError, ValueError):
        pass
    return None


def crash_reason(last: str, exit_code: int) -> str:
    """The last line of the traceback and where it was raised; else the last line printed, else how it exited."""
    lines = inert(last).splitlines()
    raised = _raised(lines)
    if raised is not None:
        return raised[0]
    if exit_code < 0:
        return exit_words(exit_code)
    said = [line.strip() for line in lines if line.strip()]
    return f"{exit_words(exit_code)}: {said[-1][:LONGEST]}" if said else exit_words(exit_code)


def ends_in_traceback(last: str) -> bool:
    """Whether an exception is the last that was printed: the process is leaving, and nothing else of it comes."""
    lines = [line for line in inert(last).splitlines() if line.strip()]
    raised = _raised(lines)
    return raised is not None and raised[1] == len(lines) - 1


def exit_words(exit_code: int) -> str:
    return f"ended by {signal_name(-exit_code)}" if exit_code < 0 else f"exit status {exit_code}"


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _raised(lines: list[str]) -> tuple[str, int] | None:
    """The exception of the last traceback, as `ValueError: no such layer (train.py, line 12)`, and which line it is.

    The line after the indented frames is the exception. A syntax error of the script itself comes without the header.
    """
    place: re.Match[str] | None = None
    found: tuple[str, int] | None = None
    inside = False
    for number, line in enumerate(lines):
        if _HEADER.match(line):
            inside, place = True, None
        elif match := _PLACE.match(line):
            inside, place = True, match
        elif inside and line and not line.startswith((" ", "\t")):
            text = re.sub(r"^\[rank\d+\]: ", "", line).strip()
            if _EXCEPTION.match(text):
                where = f" ({Path(place['file']).name}, line {place['line']})" if place is not None else ""
                found = text[:LONGEST] + where, number
            inside = False
    return found
