"""The room's own colours: calm, one accent, and signal colours that are only used for signals."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="autolab",
    primary="#7aa2d6",
    secondary="#8f9bb3",
    accent="#7aa2d6",
    foreground="#c8ccd4",
    background="#101317",
    surface="#161a20",
    panel="#1b2027",
    success="#86b87a",
    warning="#d8a657",
    error="#e06c6c",
    dark=True,
    variables={
        "border": "#323943",
        "cursor": "#26415f",
        "cursor-away": "#1e252e",
        "dim": "#838b98",
        "strong": "#f0f2f5",
        "live": "#78c2c9",
        "good": "#8cc07f",
        "warn": "#d8a657",
        "bad": "#e67e7e",
        "added": "#16281c",
        "removed": "#2e1a1d",
    },
)
