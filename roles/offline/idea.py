"""An idea of the catalogue: what it claims, where it comes from, and how it changes the train.py of the day."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Edit = Callable[[str], str | None]
"""Takes the source and gives the changed one; None where it does not fit any more."""


@dataclass(frozen=True, slots=True)
class Idea:
    title: str
    hypothesis: str
    source: str
    variable: str  # the single thing that varies
    expected: float  # the gain that the literature and experience let hope for, in bits per byte; orders the queue
    edits: tuple[Edit, ...]

    def apply(self, source: str) -> str | None:
        """The source with this idea in it; None when it does not apply (any more) or changes nothing."""
        changed: str | None = source
        for edit in self.edits:
            changed = edit(changed) if changed is not None else None
        if changed is None or changed == source:
            return None
        try:
            compile(changed, "train.py", "exec")
        except (SyntaxError, ValueError):
            return None
        return changed


def swap(old: str, new: str) -> Edit:
    """Replace a text that occurs exactly once."""

    def edit(source: str) -> str | None:
        return source.replace(old, new) if source.count(old) == 1 else None

    return edit


def rewrite(pattern: str, new: str) -> Edit:
    """Replace every match of a regular expression (multi-line, dot matches all); it must match at least once."""
    compiled = re.compile(pattern, re.MULTILINE | re.DOTALL)

    def edit(source: str) -> str | None:
        changed, count = compiled.subn(new, source)
        return changed if count else None

    return edit


def absent(text: str) -> Edit:
    """Fits only where the source does not hold `text` yet."""

    def edit(source: str) -> str | None:
        return None if text in source else source

    return edit


def before(anchor: str, text: str) -> Edit:
    """Insert `text` in front of an anchor that occurs exactly once."""
    return swap(anchor, text + anchor)


def after(anchor: str, text: str) -> Edit:
    """Insert `text` behind an anchor that occurs exactly once."""
    return swap(anchor, anchor + text)


def rate_times(factor: str) -> Edit:
    """Multiply the learning-rate schedule by another factor of `progress`."""

    def edit(source: str) -> str | None:
        found = re.search(r"(def rate_at\(progress\):\n(?:    \"\"\".*?\"\"\"\n)?    return )(.+)\n", source)
        if found is None:
            return None
        old = found.group(2)
        new = factor if old == "1.0" else f"{old} * {factor}"
        return source[: found.start(2)] + new + source[found.end(2) :]

    return edit
