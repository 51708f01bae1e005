"""The rule of promotion, as pure functions."""

from __future__ import annotations

import math
from statistics import stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.promotion import confirm, pooled_noise, screen

scores = st.lists(st.floats(min_value=0.5, max_value=9.0), min_size=2, max_size=6)


@given(scores)
def test_the_noise_of_one_group_is_its_standard_deviation(group: list[float]) -> None:
    assert pooled_noise([group]) == pytest.approx(stdev(group), abs=1e-9)


def test_groups_are_pooled_by_their_degrees_of_freedom() -> None:
    noise = pooled_noise([[1.0, 3.0], [2.0, 2.0, 2.0], [7.0]])
    assert noise == pytest.approx(math.sqrt((2.0 + 0.0) / 3))


def test_without_a_repeated_run_there_is_no_noise_to_know() -> None:
    assert pooled_noise([[1.0], [2.0], []]) is None


def test_a_screen_passes_only_when_it_beats_the_mean() -> None:
    assert screen(2.9, [3.0, 3.1]).passed
    assert not screen(3.05, [3.0, 3.1]).passed
    assert not screen(3.2, [3.0, 3.1]).passed


@given(st.floats(min_value=1e-4, max_value=0.5), st.floats(min_value=-1.0, max_value=1.0))
def test_promoted_is_exactly_what_is_better_by_two_standard_errors(noise: float, gain: float) -> None:
    needed = 2 * noise * math.sqrt(2 / 3)
    if abs(gain - needed) < 1e-9:
        return
    verdict = confirm([3.0 - gain] * 3, [3.0] * 3, noise)
    assert verdict.passed == (gain > needed)


def test_a_change_of_seed_alone_is_within_noise() -> None:
    assert not confirm([3.00, 3.02, 2.99], [3.01, 2.99, 3.02], 0.015).passed


def test_the_verdict_says_why_in_words() -> None:
    assert "within noise" in confirm([2.99] * 3, [3.0] * 3, 0.1).reason
    assert "no gain" in confirm([3.1] * 3, [3.0] * 3, 0.1).reason
    assert "a real gain" in confirm([2.0] * 3, [3.0] * 3, 0.1).reason
