"""Logs are data: what a run or an agent printed, made inert and read by offset, for screens, terminals and agents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TAIL_BYTES = 2**20

# ECMA-48 sequences (CSI, OSC and the other strings, two-character escapes), then any control character left over
_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)|\x9b[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]?", re.DOTALL
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def inert(text: str) -> str:
    """Without control sequences and control characters; a carriage return alone ends a line (progress bars)."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(_SEQUENCES.sub("", line) for line in text.splitlines(keepends=True))
    return _CONTROLS.sub("", text)


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a log and the offset after them."""

    lines: list[str]
    offset: int


def read_lines(path: Path, offset: int | None = None, most: int = TAIL_BYTES) -> Piece:
    """Whole lines from `offset` on; None begins so that at most `most` bytes of the end are read.

    A log that is not there is empty; one that became shorter (rotated) is read anew.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            if offset is not None and offset > size:
                offset = 0
            begin = max(0, size - most) if offset is None else offset
            file.seek(begin)
            piece = file.read(most)
    except OSError:
        return Piece([], 0)
    if offset is None and begin > 0:  # the first line is cut
        cut = piece.find(b"\n") + 1
        begin, piece = begin + cut, piece[cut:]
    end = piece.rfind(b"\n") + 1
    if end == 0 and len(piece) >= most:  # one endless line: take it as it is
        end = len(piece)
    text = inert(piece[:end].decode("utf-8", errors="replace"))
    return Piece(text.splitlines(), begin + end)


def read_log(path: Path, most: int = 16 * TAIL_BYTES) -> str:
    """A whole log, or the last `most` bytes of it, inert."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - most))
            return inert(file.read().decode("utf-8", errors="replace"))
    except OSError:
        return ""
