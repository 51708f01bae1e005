"""What can go wrong with models, tools and role files, as sentences for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

Choices = Mapping[str, Sequence[Any]]
"""Arguments of a tool, and all values that each of them may have."""
NOTHING_NEXT: Mapping[str, Choices] = MappingProxyType({})


class ModelError(Exception):
    """A model gave no answer, after whatever tries it makes by itself. No key ever stands in the text."""

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(f"{sentence} {remedy}".strip())
        self.sentence = sentence
        self.remedy = remedy
        self.passing = False
        """Whether it is the endpoint's failure and may pass, so that the same question is worth asking later."""

        self.troubles: tuple[str, ...] = ()
        """What went wrong at each try."""


class ToolsRefused(ModelError):
    """The endpoint takes no tools with a request; the conversation can go on in text."""


class ContextFull(ModelError):
    """The conversation is longer than the model's window, `limit` tokens when the endpoint told."""

    def __init__(self, sentence: str, remedy: str = "", limit: int | None = None) -> None:
        super().__init__(sentence, remedy)
        self.limit = limit


class RoleFileError(Exception):
    """A role file cannot be used."""

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence} {remedy}")
        self.sentence = sentence
        self.remedy = remedy


class ToolRefusal(Exception):
    """A tool refuses its input; the sentence goes back to the model, which may try again.

    `then` names the tools of which the job needs one next, each with the values that an argument of it may have.
    """

    def __init__(self, sentence: str, then: Mapping[str, Choices] = NOTHING_NEXT) -> None:
        super().__init__(sentence)
        self.then = then


class WrongArguments(ToolRefusal):
    """The arguments of a call do not fit the tool's schema."""
