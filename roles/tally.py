"""What a job has taken so far, and what was learnt of the model that plays it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from roles.chat import ChatModel
from roles.record import CallRecord, Trouble

TOKENS_PER_CHARACTER = 0.3
"""Until the server has counted."""


@dataclass(slots=True)
class Tally:
    """What a job has taken so far."""

    on_call: Callable[[CallRecord], None]
    tokens_in: int = 0
    tokens_out: int = 0
    money: float = 0.0
    troubles: Counter[Trouble] = field(default_factory=Counter)
    told_of_estimates: bool = False
    told_of_cut: bool = False

    def count(self, record: CallRecord) -> None:
        """Enter a call of the model."""
        self.tokens_in += record.tokens_in
        self.tokens_out += record.tokens_out
        self.money += record.money
        self.troubles.update(record.troubles)
        self.on_call(record)


@dataclass(frozen=True, slots=True)
class Stuck:
    """This context leads nowhere; `fresh` says that another one with the same model may, `endpoint` that the model's
    endpoint has failed in a way that may pass."""

    reason: str
    fresh: bool
    endpoint: bool = False


@dataclass(slots=True)
class Player:
    """A model at this job: what was learnt of it, and what is left to it."""

    model: ChatModel
    left: int  # replies
    as_text: bool = False
    called: bool = False  # natively, at least once
    called_in_text: bool = False
    native: bool = False  # and never as text
    endings: int = 0  # turns that ended without a call
    tokens_per_character: float = TOKENS_PER_CHARACTER
    window: int | None = None  # tokens, as learnt; the model's own knowledge goes before

    def turn_to_text(self) -> bool:
        """Explain the tools as text from now on, where no native call ever came; false when that changes nothing.

        Some servers take `tools` and leave them out of the prompt: such a model has never seen what it is to call.
        """
        if self.as_text or self.called or self.native:
            return False
        self.as_text = True
        return True
