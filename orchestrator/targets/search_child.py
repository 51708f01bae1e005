"""A program of its own that tries patterns on lines, so that a search without end takes nobody else's time.

Each line of its input is a JSON object with `pattern`, `lines` and `seconds`; each line of its output is the answer:
the groups of the last match in the last line that matches, or null. A search that takes more CPU seconds than allowed
ends the program (SIGPROF: no code of Python's runs while a search is under way), and so does the end of its input.
"""

from __future__ import annotations

import json
import re
import signal
import sys


def last_groups(pattern: re.Pattern[str], lines: list[str]) -> tuple[str | None, ...] | None:
    """The groups of the last match, searched from the last line on."""
    for line in reversed(lines):
        matches = list(pattern.finditer(line))
        if matches:
            return matches[-1].groups()
    return None


def main() -> None:
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # meant for who asks
    for request in sys.stdin:
        asked = json.loads(request)
        signal.setitimer(signal.ITIMER_PROF, asked["seconds"])
        found = last_groups(re.compile(asked["pattern"]), asked["lines"])
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
