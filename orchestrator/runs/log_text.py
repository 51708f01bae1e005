"""Logs are data: what a run or an agent printed, made inert and read by offset, for screens, terminals and agents."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.runs.files import open_plain, read_piece

TAIL_BYTES = 2**20
LONGEST_LINE = 4000
"""Characters of a line that is shown; a longer one is folded, because no screen takes a line of megabytes."""

# ECMA-48 sequences (CSI, OSC and the other strings, two-character escapes), then any control character left over.
_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)|\x9b[0-?]*[ -/]*[@-~]|\x1b[ -/]*[0-~]?", re.DOTALL
)
# C0 and C1 but tab and line feed; what changes the direction of text, breaks lines or cannot be seen; the invisible
# tag characters, in which text for a language model can be hidden.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e007f]"
)
_SURROGATES = re.compile(r"[\ud800-\udfff]")


def inert(text: str) -> str:
    """Without control sequences and control characters; a carriage return alone ends a line (progress bars)."""
    if text.isascii() and text.isprintable():  # most of what is shown, thousands of times
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    # Line by line, so that a sequence which is never closed takes one line with it and not the rest of the log.
    text = "".join(_SEQUENCES.sub("", line) for line in text.splitlines(keepends=True))
    return _SURROGATES.sub("\ufffd", _CONTROLS.sub("", text))


def in_one_line(text: str) -> str:
    """Inert, with single spaces between its words."""
    return " ".join(inert(text).split())


def in_paragraphs(text: str) -> str:
    """Inert, line for line as a person wrote it, with single spaces between words and one empty line at most."""
    lines = [" ".join(line.split()) for line in inert(text).strip().split("\n")]
    return "\n".join(line for line, before in zip(lines, ["", *lines], strict=False) if line or before)


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
        with open_plain(path) as (descriptor, size):
            if offset is not None and offset > size:
                offset = 0
            begin = max(0, size - most) if offset is None else offset
            piece = read_piece(descriptor, begin, most)
    except OSError:
        return Piece([], 0)
    if offset is None and begin > 0:  # the first line is cut
        cut = piece.find(b"\n") + 1
        begin, piece = begin + cut, piece[cut:]
    end = piece.rfind(b"\n") + 1
    if end == 0 and len(piece) >= most:  # one endless line: take it as it is
        end = len(piece)
    lines = inert(piece[:end].decode("utf-8", errors="replace")).removesuffix("\n").split("\n") if end else []
    return Piece([part for line in lines for part in _folded(line)], begin + end)


def read_log(path: Path, most: int = 16 * TAIL_BYTES) -> str:
    """A whole log, or the last `most` bytes of it, inert."""
    try:
        with open_plain(path) as (descriptor, size):
            return inert(read_piece(descriptor, max(0, size - most), most).decode("utf-8", errors="replace"))
    except OSError:
        return ""


def _folded(line: str) -> list[str]:
    if len(line) <= LONGEST_LINE:
        return [line]
    return [line[start : start + LONGEST_LINE] for start in range(0, len(line), LONGEST_LINE)]
