"""What lies in shared memory is copied whole, in every type of number, and checked."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nanogpt.likelihood import log_likelihoods
from nanogpt.received import NotFinite, Received

POSITIONS, VOCABULARY = 500, 1024  # more than one block, and no multiple of one
TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def logits() -> torch.Tensor:
    return torch.randn(POSITIONS, VOCABULARY, generator=torch.Generator().manual_seed(1)) * 5


def received(sent: torch.Tensor, cores: int) -> Received:
    return Received(memoryview(sent.view(torch.uint8).numpy().tobytes()), POSITIONS, VOCABULARY, cores)


@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("kind", TYPES)
def test_every_position_arrives_as_it_was_sent(kind: str, cores: int) -> None:
    sent = logits().to(TYPES[kind])
    found = received(sent, cores).all(kind, POSITIONS)
    assert np.array_equal(found, sent.float().numpy())
    some = np.array([0, 7, POSITIONS - 1])
    assert np.array_equal(received(sent, cores).some(kind, POSITIONS, some), found[some])


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_number_that_is_not_finite_is_seen_wherever_it_stands(kind: str, value: float) -> None:
    for place in (0, POSITIONS // 2, POSITIONS - 1):
        sent = logits()
        sent[place, VOCABULARY - 1] = value
        there = received(sent.to(TYPES[kind]), 3)
        with pytest.raises(NotFinite):
            there.all(kind, POSITIONS)
        with pytest.raises(NotFinite):
            there.some(kind, POSITIONS, np.array([place]))


def test_a_type_that_nobody_agreed_on_is_an_error() -> None:
    with pytest.raises(KeyError):
        received(logits(), 1).all("float64", POSITIONS)


def test_likelihoods_are_the_same_to_the_bit_on_any_number_of_cores() -> None:
    sent = logits().numpy().reshape(5, 100, VOCABULARY)
    targets = np.random.default_rng(2).integers(0, VOCABULARY, size=(5, 100))
    alone = log_likelihoods(sent, targets)
    for cores in (2, 3, 16):
        assert np.array_equal(log_likelihoods(sent, targets, cores), alone)
    exact = torch.log_softmax(torch.from_numpy(sent).double(), -1).gather(-1, torch.from_numpy(targets)[..., None])
    assert np.allclose(alone, exact[..., 0].numpy(), atol=1e-5)
