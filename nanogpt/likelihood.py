"""From logits to log likelihoods, in float32, by the scorer's own arithmetic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nanogpt.cores import in_shares

Floats = npt.NDArray[np.float32]
BLOCK = 2**20
"""Logits worked on at once: few enough for the processor's cache, and enough that cores seldom wait for each other."""


def log_likelihoods(logits: Floats, targets: npt.NDArray[np.int64], cores: int = 1) -> Floats:
    """log p(target) [B, T] from logits [B, T, V] and targets [B, T]; the result does not depend on `cores`."""
    flat, wanted = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    found = np.empty(len(flat), dtype=np.float32)
    step = max(1, BLOCK // flat.shape[1])

    def work(first: int, last: int) -> None:
        room = np.empty((step, flat.shape[1]), dtype=np.float32)  # once: a new one for each block costs more than exp
        for start in range(first, last, step):
            block = slice(start, min(start + step, last))
            largest = flat[block].max(axis=-1, keepdims=True)
            shifted = np.subtract(flat[block], largest, out=room[: block.stop - start])
            chosen = np.take_along_axis(shifted, wanted[block, None], axis=-1)[:, 0]
            found[block] = chosen - np.log(np.exp(shifted, out=shifted).sum(axis=-1))

    in_shares(len(flat), cores, work)
    return found.reshape(targets.shape)


def log_probabilities(logits: Floats) -> Floats:
    """log p of every token [..., V] from logits [..., V]."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found
