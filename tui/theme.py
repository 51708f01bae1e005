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

LIGHT = Theme(
    name="autolab-light",
    primary="#2f6db5",
    secondary="#5b6472",
    accent="#2f6db5",
    foreground="#24292f",
    background="#fbfbfa",
    surface="#f2f3f4",
    panel="#e9ecef",
    success="#2d7a32",
    warning="#95610a",
    error="#b3261e",
    dark=False,
    variables={
        "border": "#c3c9d0",
        "cursor": "#cfe0f5",
        "cursor-away": "#e8ebee",
        "dim": "#616a76",
        "strong": "#0b0f14",
        "live": "#0b6e77",
        "good": "#2d7a32",
        "warn": "#95610a",
        "bad": "#b3261e",
        "added": "#dff2e1",
        "removed": "#fbe3e1",
    },
)

SIXTEEN = Theme(
    # The colours of the VGA palette, so that a terminal of 16 colours shows exactly these.
    name="autolab-16",
    primary="#00aaaa",
    secondary="#aaaaaa",
    accent="#00aaaa",
    foreground="#aaaaaa",
    background="#000000",
    surface="#000000",
    panel="#000000",
    success="#00aa00",
    warning="#aa5500",
    error="#aa0000",
    dark=True,
    variables={
        "border": "#555555",
        "cursor": "#0000aa",
        "cursor-away": "#555555",
        "dim": "#aaaaaa",
        "strong": "#ffffff",
        "live": "#55ffff",
        "good": "#55ff55",
        "warn": "#ffff55",
        "bad": "#ff5555",
        "added": "#000000",
        "removed": "#000000",
    },
)
