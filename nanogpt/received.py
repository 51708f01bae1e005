"""Logits that lie in memory shared with a process that is not trusted: a copy of them, checked."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nanogpt.cores import in_shares

Floats = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]

BLOCK = 2**20
"""Logits copied at once, as in likelihood.py."""

KINDS: dict[str, type[np.generic]] = {"float32": np.float32, "float16": np.float16, "bfloat16": np.uint16}
"""By the name of a type on the wire, what numpy reads. It knows no bfloat16, the upper half of a float32."""


class NotFinite(Exception):
    """A logit is infinite or not a number."""


class Received:
    """Reads each logit once: the other side could change it between two looks."""

    def __init__(self, shared: memoryview, most_tokens: int, vocabulary: int, cores: int) -> None:
        self._shared = shared
        self._vocabulary = vocabulary
        self._cores = cores
        self._room = np.empty((most_tokens, vocabulary), dtype=np.float32)  # memory is taken when it is written

    def all(self, kind: str, count: int) -> Floats:
        """The first `count` positions [count, V], valid until the next call. Raises KeyError, NotFinite."""
        held, found = self._held(kind, count), self._room[:count]
        step = max(1, BLOCK // self._vocabulary)

        def work(first: int, last: int) -> None:
            for start in range(first, last, step):
                block = slice(start, min(start + step, last))
                _copy(kind, held[block], found[block])

        in_shares(count, self._cores, work)
        return found

    def some(self, kind: str, count: int, positions: Ids) -> Floats:
        """Of the first `count` positions those asked for, [N, V]. Raises KeyError, NotFinite."""
        found = np.empty((len(positions), self._vocabulary), dtype=np.float32)
        _copy(kind, self._held(kind, count)[positions], found)
        return found

    def _held(self, kind: str, count: int) -> npt.NDArray[np.generic]:
        return np.frombuffer(self._shared, KINDS[kind], count * self._vocabulary).reshape(count, self._vocabulary)


def _copy(kind: str, held: npt.NDArray[np.generic], to: Floats) -> None:
    if kind == "bfloat16":
        np.left_shift(held, 16, out=to.view(np.uint32), dtype=np.uint32)
    else:
        np.copyto(to, held)
    if not np.isfinite(to).all():
        raise NotFinite
