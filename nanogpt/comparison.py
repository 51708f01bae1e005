"""Whether a model's answers depend on the past of a window alone: what one process said against what another says.

Some questions are put to a second process with another continuation from a random place on, taken from elsewhere in the
same split, so that it reads like text. What was answered before that place must not change; of an eighth, which are put
as they were, nothing must. Each question is put to each process once, in orders of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from nanogpt.answerer import Answerer, Refusal
from nanogpt.likelihood import log_probabilities

PLACES = 8
"""Compared of each question: the last answer before the change, where a glance ahead pays most, and some before it."""

Tokens = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

LARGEST_GAP = {"cpu": 2e-3, "gpu": 0.1}
LARGEST_MEAN_GAP = {"cpu": 2e-4, "gpu": 1e-3}
LARGEST_ERROR = {"cpu": 1e-4, "gpu": 5e-4}
"""Of log p, in nats: in one answer; between the likelihoods of the true next token on average; and three times this is
what chance may add to that. A GPU computes with two bytes, which keep three decimal digits."""


@dataclass(slots=True)
class Comparison:
    """Chooses what is compared before anything is asked, notes the first process's answers, checks the second's."""

    pieces: Tokens  # [M, length + 1]
    profile: str
    count: int
    random: np.random.Generator
    _rows: Tokens = field(init=False)
    _cuts: dict[int, int] = field(init=False)
    _places: dict[int, Tokens] = field(init=False)
    _noted: dict[int, Floats] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        length = self.pieces.shape[1] - 1
        self._rows = self.random.choice(len(self.pieces), min(self.count, len(self.pieces)), replace=False)
        self._cuts = {int(row): int(self.random.integers(1, length)) if length > 1 else 1 for row in self._rows}
        # Asked again as they were: else the last answer of a question would be compared nowhere.
        self._cuts |= dict.fromkeys(map(int, self._rows[::8]), length)
        self._places = {row: self._places_before(cut) for row, cut in self._cuts.items()}

    def _places_before(self, cut: int) -> Tokens:
        earlier = self.random.choice(cut, min(PLACES, cut), replace=False)
        return np.unique(np.append(earlier, cut - 1))

    def note(self, rows: Tokens, logits: Floats) -> None:
        """The first process's answers [B, length, V] to some rows."""
        for row, answer in zip(rows.tolist(), logits, strict=False):
            if row in self._places:
                self._noted[row] = log_probabilities(answer[self._places[row]])

    def check(self, second: Answerer, random: np.random.Generator) -> None:
        """Raises Refusal when the second process answers otherwise than the first."""
        gaps, largest, worst = [], 0.0, -1
        changed = self._changed(random)
        length = self.pieces.shape[1] - 1
        for batch in second.batches(random.permutation(len(self._rows)), length):
            rows = [int(self._rows[number]) for number in batch.all[: batch.count]]
            positions = [place * length + self._places[row] for place, row in enumerate(rows)]
            answers = second.answers_at(changed[batch.all], np.concatenate(positions))
            ends = np.cumsum([len(one) for one in positions])[:-1]
            for row, answer in zip(rows, np.split(answers, ends), strict=True):
                found = log_probabilities(answer)
                gap = float(np.abs(_weighed(found, self._noted[row])).max())
                if gap > largest:
                    largest, worst = gap, row
                if self._cuts[row] < length:
                    true = int(self.pieces[row, self._cuts[row]])  # the token that the first process saw coming
                    gaps.append(float(self._noted[row][-1, true] - found[-1, true]))
        gaps = gaps or [0.0]  # a model of one token at once has no future
        error = min(LARGEST_ERROR[self.profile], float(np.std(gaps)) / len(gaps) ** 0.5)
        if largest > LARGEST_GAP[self.profile] or np.mean(gaps) > LARGEST_MEAN_GAP[self.profile] + 3 * error:
            raise Refusal(self._why(second, worst, largest))

    def _changed(self, random: np.random.Generator) -> Tokens:
        """The rows that are compared, [K, length], each continued by another piece from its cut on."""
        found = self.pieces[self._rows, :-1].copy()
        for number, row in enumerate(self._rows.tolist()):
            other = (
                (row + int(random.integers(1, len(self.pieces)))) % len(self.pieces) if len(self.pieces) > 1 else row
            )
            cut = self._cuts[row]
            if cut == found.shape[1]:  # the question as it was
                continue
            found[number, cut:] = self.pieces[other, cut:-1]
            if found[number, cut] == self.pieces[row, cut]:  # another continuation begins otherwise
                found[number, cut] = (found[number, cut] + 1) % (int(self.pieces.max()) + 1)
        return found

    def _why(self, second: Answerer, row: int, gap: float) -> str:
        """The question as the first process had it, put to the second: the future is to blame if they agree now."""
        size = second.batch_size(self.pieces.shape[1] - 1)
        question = np.repeat(self.pieces[row : row + 1, :-1], size, axis=0)
        answer = log_probabilities(second.answers_at(question, self._places[row]))
        again = float(np.abs(_weighed(answer, self._noted[row])).max())
        if again <= LARGEST_GAP[self.profile]:
            return f"the model looks at later tokens: its log likelihoods change by {gap:.3g} when only those change"
        return (
            "the model's answers depend on more than the tokens it is asked about: two processes that were asked the"
            f" same differ by {again:.3g} (it learns or remembers while being scored, or its answers are random)"
        )


def _weighed(one: Floats, other: Floats) -> Floats:
    """Differences of log probabilities, those of tokens that hardly ever come counted less: logits of two bytes are
    rough far from zero."""
    importance = np.minimum(1.0, np.exp(np.maximum(one, other) + np.float32(14.0)))
    found: Floats = (one - other) * importance
    return found
