"""A style sheet that parses each text once: Textual parses all of them anew when a screen brings a text of its own."""

from __future__ import annotations

from textual.cache import LRUCache
from textual.css.stylesheet import Stylesheet

TEXTS = 512
"""So many texts are remembered; every class of widget and of screen has one."""


class Sheet(Stylesheet):
    """Forgets what it has parsed when a variable changes, and only then."""

    def __init__(self, *, variables: dict[str, str]) -> None:
        super().__init__(variables=variables)
        self._parse_cache = LRUCache(TEXTS)

    def set_variables(self, variables: dict[str, str]) -> None:
        if variables != self._variables:
            super().set_variables(variables)

    def reparse(self) -> None:
        """Raises:
        StylesheetParseError: A text is invalid. The rules stay as they were.
        """
        self.parse()
