"""Seeds that were taken and seeds that were not, told apart by the beginnings of two curves."""

from __future__ import annotations

import math
import random

from orchestrator.measurement.likeness import same_beginning


def curve(seed: int, steps: range, first: float | None = None) -> dict[int, float]:
    """A loss that falls, with the scatter of batches of its own."""
    noise = random.Random(seed)
    found = {step: 5.6 - 0.3 * math.log(step) + 0.05 * noise.gauss(0, 1) for step in range(1, steps.stop)}
    found[1] = found[1] if first is None else first
    return {step: loss for step, loss in found.items() if step == 1 or step in steps}


def test_curves_of_two_seeds_are_told_apart() -> None:
    for seed in range(200):
        assert same_beginning(curve(seed, range(1, 60)), curve(seed + 1000, range(1, 60, 3))) is None


def test_the_same_first_loss_tells_of_an_ignored_seed() -> None:
    assert same_beginning(curve(1, range(1, 5), 5.6012), curve(2, range(1, 5), 5.6012)) == "first loss 5.601200"


def test_a_head_that_starts_at_zero_has_the_same_first_loss_for_every_seed() -> None:
    uniform = 5.545177459716797  # log 256, as torch prints it
    assert same_beginning(curve(1, range(1, 40), uniform), curve(2, range(1, 40), uniform)) is None


def test_a_seed_of_its_own_under_a_trace_of_noise_is_still_an_ignored_seed() -> None:
    one = curve(7, range(1, 60))
    other = {step: loss + 1e-6 * step for step, loss in one.items() if step % 2}
    assert same_beginning(one, other) == "losses at 20 steps"


def test_too_few_steps_in_common_tell_nothing() -> None:
    assert same_beginning({1: 5.60, 2: 5.5, 4: 5.4}, {1: 5.61, 2: 5.5, 4: 5.4}) is None
