"""Keys as Textual names them, and as people read them; bindings and footer from the one table of actions."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from textual.binding import Binding, BindingType

from orchestrator.actions import ACTIONS, BY_NAME, Kind
from tui.tones import Said, Tone

_SHOWN = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "plus": "+",
    "minus": "-",
    "escape": "esc",
    "shift+tab": "S-tab",
    "ctrl+p": "^p",
    "ctrl+z": "^z",
    "ctrl+l": "^l",
}

_TAKEN_FIRST = frozenset({"tab", "shift+tab"})
"""Textual moves the focus by these; here they are the table's."""

_BOUND_ELSEWHERE = frozenset({"palette", "sleep", "redraw"})
"""Of every screen and window, not of the room's alone (tui.paced, Textual)."""


def shown(key: str) -> str:
    return _SHOWN.get(key, key)


def bindings() -> list[BindingType]:
    """Every key of the table, bound to `act(name, key)`, but those that the app has bound by itself."""
    made: list[BindingType] = []
    for action in ACTIONS:
        for key in action.keys if action.name not in _BOUND_ELSEWHERE else ():
            words = f"act('{action.name}', '{key}')"
            made.append(Binding(key, words, action.help, show=False, priority=key in _TAKEN_FIRST))
    return made


def footer(width: int, names: Iterable[str], *, only_looking: bool = False, held: Collection[str] = ()) -> list[Said]:
    """As many of the named actions as fit into a line, in their order; `only_looking`: none that changes the lab;
    `held`: those that pause, where what they mean is paused."""
    line: list[Said] = []
    used = 0
    for name in names:
        action = BY_NAME[name]
        if only_looking and action.kind not in (Kind.VIEW, Kind.READ):
            continue
        key, word = shown(action.keys[0]), action.footer or action.name.replace("_", " ")
        if name in held:
            word = word.replace("pause", "resume")
        size = len(key) + 1 + len(word) + (2 if line else 0)
        if used + size > width:
            break
        line += [Said("  "), Said(key, Tone.STRONG), Said(f" {word}", Tone.DIM)][0 if line else 1 :]
        used += size
    return line
