"""What this person typed into a prompt before, in any lab: under up and down, also what was left with esc."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from tui.own_files import state_directory, write_whole

MOST_LINES = 200


class History:
    """The lines that were given before, walked with up and down; what is being typed comes back at the end."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self._lines = list(lines)
        self._place = len(self._lines)
        self._typed = ""

    def step(self, by: int, typed: str) -> str:
        """-1: the line before, 1: the line after."""
        if self._place == len(self._lines):
            self._typed = typed
        self._place = max(0, min(len(self._lines), self._place + by))
        return self._typed if self._place == len(self._lines) else self._lines[self._place]


class TypedBefore:
    """The lines of one kind of prompt, in files of the person's own; a home that cannot be written keeps none."""

    def __init__(self, name: str) -> None:
        self._name = name

    def history(self) -> History:
        """What was left stands at the end: nothing newer was typed."""
        return History([*self._lines(self._name), *self._lines(self._left)])

    def given(self, line: str) -> None:
        """It is the newest line now, and stands there once."""
        self.left("")
        if line:
            with contextlib.suppress(OSError):
                write_whole(self._path(self._name), "\n".join(with_line(self._lines(self._name), line)) + "\n")

    def left(self, line: str) -> None:
        """With esc, or when the terminal went: nothing that was given, but nothing to type again either."""
        with contextlib.suppress(OSError):
            if line and line not in self._lines(self._name)[-1:]:
                write_whole(self._path(self._left), line + "\n")
            else:
                self._path(self._left).unlink(missing_ok=True)

    @property
    def _left(self) -> str:
        return f"{self._name}-left"

    def _path(self, name: str) -> Path:
        return state_directory() / name

    def _lines(self, name: str) -> list[str]:
        try:
            return self._path(name).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return []


def with_line(lines: Sequence[str], line: str) -> list[str]:
    """The lines with this one at the end, once."""
    return [*(one for one in lines if one != line), line][-MOST_LINES:]
