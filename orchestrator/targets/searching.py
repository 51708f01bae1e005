"""A person's pattern tried on what a program printed, within a bounded time.

Some patterns take ages on some lines (nested repetitions), and Python's `re` can neither be told to stop nor lets
another thread run. So the search is made by a child process, started at the first search and kept; one whose time is
up ends itself, and the next search begins with another.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

_CHILD = Path(__file__).with_name("search_child.py")


class OutOfTime(Exception):
    """The pattern could not be searched for within the time allowed."""


class Searcher:
    """One child process and who asks it. Its methods block, and may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[str] | None = None

    def last_groups(self, pattern: re.Pattern[str], lines: list[str], seconds: float) -> list[str | None] | None:
        """The groups of the last match in the last of these lines that matches; None without one.

        Raises OutOfTime after `seconds` of CPU time, and OSError when no child can be started.
        """
        request = json.dumps({"pattern": pattern.pattern, "lines": lines, "seconds": seconds}) + "\n"
        with self._lock:
            answer = self._ask(request) or self._ask(request)  # the first child may have been killed by somebody else
        if not answer:
            raise OutOfTime
        found: list[str | None] | None = json.loads(answer)
        return found

    def _ask(self, request: str) -> str:
        """The child's answer; empty when it has ended without one. Raises OutOfTime."""
        child = self._alive()
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(request)
            child.stdin.flush()
            answer = child.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer and child.wait() == -signal.SIGPROF:
            self.close()
            raise OutOfTime
        return answer

    def close(self) -> None:
        """End the child; the next search starts another."""
        child, self._child = self._child, None
        if child is not None:
            with child:  # closes its pipes and waits for it
                child.kill()

    def _alive(self) -> subprocess.Popen[str]:
        if self._child is not None and self._child.poll() is not None:
            self.close()
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                encoding="ascii",
            )
        return self._child


SEARCHER = Searcher()
"""The one of this process."""
