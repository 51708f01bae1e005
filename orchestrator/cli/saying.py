"""What the command line says: every word that is no JSON and no file of its own goes through here, and is inert."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from orchestrator.errors import LabError
from orchestrator.runs.log_text import in_one_line, inert


def say(text: object = "", *, end: str = "\n", to: TextIO | None = None) -> None:
    """On standard output, or `to` another stream."""
    if to is None:
        write(inert(str(text)) + end)
    else:
        print(inert(str(text)), end=end, file=to)


def say_row(*cells: object) -> None:
    """Cells with tabs between them, for people and `cut` alike."""
    say("\t".join(in_one_line(str(cell)) for cell in cells))


def say_patch(text: str) -> None:
    """To the letter, for `git apply`; on a terminal without what would steer it."""
    if sys.stdout.isatty():
        say(text, end="")
    else:
        write(text)


def write(text: str) -> None:
    """On standard output, to the letter. Raises LabError where it takes nothing, and BrokenPipeError where its reader
    has seen enough."""
    with _heard():
        sys.stdout.write(text)


def flush() -> None:
    """What was said so far is on its way. Raises as `write` does."""
    with _heard():
        sys.stdout.flush()


def open_closed() -> None:
    """A stream that the shell has closed (`>&-`) takes everything, and nobody reads it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))


@contextmanager
def _heard() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        # What is left to say goes nowhere, or Python would try again at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise LabError(
            f"Standard output cannot be written ({error.strerror}).", "Send it to a place that has room for it."
        ) from error
