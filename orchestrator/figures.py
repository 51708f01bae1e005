"""Figures as people read them: with their decimals, and short where they are out of all proportion."""

from __future__ import annotations

SHORT_FROM = 1e6
"""From here on a figure is written in two digits and a power of ten, so that no row of a table bursts."""


def figure(value: float, form: str = ".4f") -> str:
    """`form` is a format such as `.4f` or `+.4f`, whose sign is kept."""
    if abs(value) < SHORT_FROM:
        text = format(value, form)
        # Nothing is not less than nothing.
        return text if text[0] != "-" or any(one in "123456789" for one in text) else format(0.0, form)
    return format(value, ("+" if form.startswith("+") else "") + ".2g")
