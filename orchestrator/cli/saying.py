"""What the command line says: every word that is no JSON and no file of its own goes through here, and is inert."""

from __future__ import annotations

import sys
from typing import TextIO

from orchestrator.runs.log_text import in_one_line, inert


def say(text: object = "", *, end: str = "\n", to: TextIO | None = None) -> None:
    """On standard output, or `to` another stream."""
    print(inert(str(text)), end=end, file=to if to is not None else sys.stdout)


def say_row(*cells: object) -> None:
    """Cells with tabs between them, for people and `cut` alike."""
    say("\t".join(in_one_line(str(cell)) for cell in cells))


def say_patch(text: str) -> None:
    """To the letter, for `git apply`; on a terminal without what would steer it."""
    if sys.stdout.isatty():
        say(text, end="")
    else:
        sys.stdout.write(text)
