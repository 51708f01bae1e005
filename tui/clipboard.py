"""The person's clipboard over any line: OSC 52, which the terminal at the other end understands (or ignores).

The sequence is of xterm's control sequences, "Operating System Commands", Ps = 52. A multiplexer hands it on only in a
wrapper of its own: tmux doubles every escape within `ESC P tmux;`, screen takes strings of at most 768 bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping

MOST_BASE64 = 100_000
"""Characters that terminals are known to take in one such sequence; more is often cut, or drops the whole."""

SCREEN_PIECE = 700
"""Bytes in one of screen's strings, below its bound of 768."""

ESC, BEL, END = "\x1b", "\x07", "\x1b\\"


def osc52(text: str, environment: Mapping[str, str]) -> str | None:
    """What to write to the terminal so that `text` lands in the clipboard; None when it is too much for a terminal."""
    coded = base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")
    if len(coded) > MOST_BASE64:
        return None
    plain = f"{ESC}]52;c;{coded}{BEL}"
    if environment.get("TMUX"):
        # tmux takes the plain one with `set-clipboard on`, the wrapped one with `allow-passthrough on`
        return f"{plain}{ESC}Ptmux;{plain.replace(ESC, ESC * 2)}{END}"
    if environment.get("STY") or environment.get("TERM", "").startswith("screen"):
        pieces = [plain[start : start + SCREEN_PIECE] for start in range(0, len(plain), SCREEN_PIECE)]
        return "".join(f"{ESC}P{piece}{END}" for piece in pieces)
    return plain
