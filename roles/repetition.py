"""Noticing that a text repeats itself without end, while it streams."""

from __future__ import annotations

from dataclasses import dataclass

TAIL = 2400
"""Characters that must all be repetition; about 600 tokens."""
LONGEST_UNIT = TAIL // 6
"""Characters of what is repeated: it stands in the tail six times at least."""
STEP = 400
"""Characters between two looks: a look takes about a millisecond."""


@dataclass(slots=True)
class Repetition:
    """Watches one stream of text."""

    tail: str = ""
    unseen: int = 0

    def take(self, piece: str) -> bool:
        """Add a piece; true when the text has turned into repetition."""
        self.tail = (self.tail + piece)[-TAIL:]
        self.unseen += len(piece)
        if self.unseen < STEP or len(self.tail) < TAIL:
            return False
        self.unseen = 0
        return period(self.tail) <= LONGEST_UNIT


def period(text: str) -> int:
    """The smallest p with text[i] == text[i + p] throughout, by the failure function of Knuth, Morris and Pratt
    (Fast Pattern Matching in Strings, SIAM Journal on Computing, 1977); the length of the text when nothing repeats."""
    border = [0] * len(text)
    for at in range(1, len(text)):
        length = border[at - 1]
        while length and text[at] != text[length]:
            length = border[length - 1]
        border[at] = length + (text[at] == text[length])
    return len(text) - border[-1] if text else 0


def once(text: str) -> str:
    """The text with its repeating end cut to one copy."""
    tail = text[-TAIL:]
    unit = period(tail)
    if not tail or unit > LONGEST_UNIT:
        return text
    begin = len(text) - len(tail)
    while begin > 0 and text[begin - 1] == text[begin - 1 + unit]:
        begin -= 1
    return text[: begin + unit]
