"""Source files as agents edit them: what they read and write has \\n at its line ends, and a file keeps its own."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from pathlib import Path

_END = re.compile(r"\r\n|\r|\n")


def plain(text: str) -> str:
    """The text with every line ended by \\n."""
    return _END.sub("\n", text)


def read_source(file: Path) -> str:
    """What stands in a file, as an agent reads it. Blocks."""
    return plain(_read(file))


def read_exact(file: Path) -> str:
    """What stands in a file with the line ends that it has, as git shows it. Blocks."""
    return file.read_bytes().decode("utf-8", errors="replace")


def write_source(file: Path, text: str) -> None:
    """Let a file hold `text`: a line that stays as it was keeps its end, a new one ends as most of them do. Blocks."""
    file.write_text(_fitted(_read(file), plain(text)), "utf-8", newline="")


def _read(file: Path) -> str:
    return file.read_bytes().decode("utf-8")


def _fitted(before: str, text: str) -> str:
    ends = _END.findall(before)
    kinds = Counter(ends)
    if not kinds:
        return text
    usual = kinds.most_common(1)[0][0]
    if len(kinds) == 1:
        return text.replace("\n", usual)
    lines = text.split("\n")
    fitted = [usual] * len(lines)
    matcher = difflib.SequenceMatcher(None, _END.split(before), lines, autojunk=False)
    for start, new_start, size in matcher.get_matching_blocks():
        for offset in range(size):
            if start + offset < len(ends):
                fitted[new_start + offset] = ends[start + offset]
    return "".join(line + end for line, end in zip(lines[:-1], fitted, strict=False)) + lines[-1]
