"""Remedies as a person in the room types them: `:show 9` for the command line's `autolab show 9`."""

from __future__ import annotations

import re

from orchestrator.actions import BY_VERB
from tui.commands import ON_THE_COMMAND_LINE

_COMMAND = re.compile(r"`autolab ([a-z]+)((?: [^`]*)?)`")


def in_room(text: str) -> str:
    """The text with every command in backquotes as `:` takes it, where it takes it."""

    def turned(found: re.Match[str]) -> str:
        verb, rest = found.groups()
        rest = rest.removesuffix(" --help")
        if verb not in BY_VERB or verb in ON_THE_COMMAND_LINE or " -" in rest:
            return found.group()
        return f"`:{verb}{rest}`"

    return _COMMAND.sub(turned, text)
