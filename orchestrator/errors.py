"""The one exception that a person meets: a sentence that says what is wrong, and a remedy."""

from __future__ import annotations


class LabError(Exception):
    """Something a person can put right.

    `sentence` says what is wrong, `remedy` what to do about it; both are shown as they stand.
    """

    def __init__(self, sentence: str, remedy: str = "") -> None:
        self.sentence = sentence.strip()
        self.remedy = remedy.strip()
        super().__init__(f"{self.sentence} {self.remedy}".strip())


class UsageError(LabError):
    """The words of a command are wrong (exit status 2)."""
