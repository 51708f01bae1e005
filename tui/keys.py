"""Keys as Textual names them, and as people read them; bindings and footer from the one table of actions."""

from __future__ import annotations

from textual.binding import Binding, BindingType

from orchestrator.actions import ACTIONS, BY_NAME

_SHOWN = {
    "question_mark": "?",
    "slash": "/",
    "colon": ":",
    "plus": "+",
    "minus": "-",
    "escape": "esc",
    "shift+tab": "S-tab",
    "ctrl+p": "^p",
}


def shown(key: str) -> str:
    return _SHOWN.get(key, key)


def bindings() -> list[BindingType]:
    """Every key of the table, bound to `act(name)`."""
    made: list[BindingType] = []
    for action in ACTIONS:
        for key in action.keys:
            argument = f"'{action.name}', '{key}'"
            # The palette and enter inside tables are Textual's own; everything else goes through the table.
            if action.name not in ("palette", "open"):
                made.append(
                    Binding(key, f"act({argument})", action.help, show=False, priority=key in ("tab", "shift+tab"))
                )
    return made


def footer(width: int, names: tuple[str, ...]) -> str:
    """As many of the named actions as fit into a line, in their order."""
    line = ""
    for name in names:
        action = BY_NAME[name]
        longer = f"{line}  {shown(action.keys[0])} {action.footer}".strip()
        if len(longer) > width:
            break
        line = longer
    return line
