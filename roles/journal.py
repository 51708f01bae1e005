"""Where a conversation can be watched while it is held."""

from __future__ import annotations

from typing import Protocol


class Journal(Protocol):
    """Gets everything as it happens, for people."""

    def thinking(self) -> None:
        """The model is asked for its next reply."""
        ...

    def text(self, piece: str) -> None:
        """A piece of the reply, as it streams."""
        ...

    def call(self, name: str, arguments: str) -> None:
        """A call as the model wrote it."""
        ...

    def answer(self, name: str, text: str) -> None:
        """What the model is answered."""
        ...

    def note(self, text: str) -> None:
        """What the loop itself has to say."""
        ...

    def usage(self, tokens_in: int, tokens_out: int) -> None:
        """What the last reply took."""
        ...
