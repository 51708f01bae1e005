"""From logits to log likelihoods, in float32, by the scorer's own arithmetic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
BLOCK = 2**22
"""Logits worked on at once: what fits the processor's cache goes faster."""


def log_likelihoods(logits: Floats, targets: npt.NDArray[np.int64]) -> Floats:
    """log p(target) [B, T] from logits [B, T, V] and targets [B, T]."""
    flat, wanted = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    found = np.empty(len(flat), dtype=np.float32)
    step = max(1, BLOCK // flat.shape[1])
    for start in range(0, len(flat), step):
        block = slice(start, start + step)
        largest = flat[block].max(axis=-1, keepdims=True)
        sums = np.exp(flat[block] - largest).sum(axis=-1)
        chosen = np.take_along_axis(flat[block], wanted[block, None], axis=-1)
        found[block] = (chosen - largest)[:, 0] - np.log(sums)
    return found.reshape(targets.shape)


def log_probabilities(logits: Floats) -> Floats:
    """log p of every token [..., V] from logits [..., V]."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return found
