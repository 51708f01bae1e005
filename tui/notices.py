"""Notices over a page: what a newer one makes untrue, and how wide one is that names a path. Pure functions."""

from __future__ import annotations

import re

EDGES = 3
"""Columns of a notice beside its words."""

_SUBJECTS = (
    re.compile(r"\b(experiment \d+)", re.IGNORECASE),
    re.compile(r"\b(the queue)\b", re.IGNORECASE),
    re.compile(r"^(?:\d+ agents? of )?(\S+) (?:is|are|goes|go) (?:paused|not paused|on)\b"),
)


def subject(text: str) -> str | None:
    """What the notice tells of; the newest about one experiment, the queue or one agent is the one that is true."""
    for pattern in _SUBJECTS:
        if (found := pattern.search(text)) is not None:
            return found.group(1).casefold()
    return None


def path_width(text: str) -> int:
    """The columns of the longest path in it, for a path that is broken cannot be read or copied."""
    lines = text.splitlines()
    whole = [line for line in lines if line.startswith("/")]  # of its own, also with spaces
    words = [word for line in lines if line not in whole for word in line.split() if word.startswith("/")]
    return max((len(path) for path in whole + words), default=0)
