"""The numeric constants of train.py, found, read and set: `X = 3` and `X = prepare.pick(cpu=3, gpu=8)`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from roles.offline.idea import Edit

_NUMBER = r"[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)"


@dataclass(frozen=True, slots=True)
class Constant:
    name: str
    value: float
    whole: bool  # an int

    def show(self, value: float) -> str:
        """A value as it would stand in the file."""
        return f"{round(value)}" if self.whole else f"{value:.4g}"


def _pattern(name: str, profile: str) -> re.Pattern[str]:
    number = f"(?P<plain>{_NUMBER})"
    picked = rf"prepare\.pick\((?:[^)\n]*?\b)?{profile}=(?P<picked>{_NUMBER})[^)\n]*\)"
    return re.compile(rf"^(?P<name>{name}) = (?:{number}|{picked})(?=\s*(?:#.*)?$)", re.MULTILINE)


def constants(source: str, profile: str) -> list[Constant]:
    """Every numeric constant at the top level, with its value for the profile."""
    found = []
    for match in _pattern(r"[A-Z][A-Z0-9_]*", profile).finditer(source):
        text = match["plain"] or match["picked"]
        found.append(Constant(match["name"], float(text), re.fullmatch(r"[-+]?\d+", text) is not None))
    return found


def with_constant(source: str, name: str, text: str, profile: str) -> str | None:
    """The source with a constant set to `text` for the profile; None when there is none of that name."""
    match = _pattern(re.escape(name), profile).search(source)
    if match is None:
        return None
    group = "plain" if match["plain"] is not None else "picked"
    return source[: match.start(group)] + text + source[match.end(group) :]


def scaled(name: str, factor: float) -> Edit:
    """Multiply a constant, whatever it stands at; for both profiles where it has two values."""

    def edit(source: str) -> str | None:
        changed: str | None = source
        for profile in ("cpu", "gpu"):
            value = next((c for c in constants(source, profile) if c.name == name), None)
            if value is None or changed is None:
                return None
            text = value.show(value.value * factor)
            if float(text) == value.value or (value.whole and float(text) < 1):
                return None
            # A constant with one value for both profiles is simply set to the same number twice.
            changed = with_constant(changed, name, text, profile)
        return changed

    return edit


def shifted(name: str, by: float, least: float) -> Edit:
    """Add to a constant; None below `least`."""

    def edit(source: str) -> str | None:
        changed: str | None = source
        for profile in ("cpu", "gpu"):
            value = next((c for c in constants(source, profile) if c.name == name), None)
            if value is None or changed is None or value.value + by < least:
                return None
            changed = with_constant(changed, name, value.show(value.value + by), profile)
        return changed

    return edit


def fixed(name: str, text: str) -> Edit:
    """Set a constant that has one value for both profiles."""

    def edit(source: str) -> str | None:
        return with_constant(source, name, text, "cpu")

    return edit
