"""What can go wrong with models, tools and role files, as sentences for people."""

from __future__ import annotations


class ModelError(Exception):
    """A model did not answer. `retry` says whether trying again may help; no key ever stands in the text."""

    def __init__(self, sentence: str, remedy: str = "", *, retry: bool = False) -> None:
        super().__init__(f"{sentence} {remedy}".strip())
        self.sentence = sentence
        self.remedy = remedy
        self.retry = retry


class RoleFileError(Exception):
    """A role file cannot be used."""

    def __init__(self, sentence: str, remedy: str) -> None:
        super().__init__(f"{sentence} {remedy}")
        self.sentence = sentence
        self.remedy = remedy


class ToolRefusal(Exception):
    """A tool refuses its input; the sentence goes back to the model."""
