"""Noise, decisions and belief: right where the answer is known, and as often wrong as they say where it is chance."""

from __future__ import annotations

import math
from statistics import fmean, stdev

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.evidence import (
    Action,
    Decision,
    Measured,
    Noise,
    believed,
    decide,
    equivalent,
    expected_false,
    noise_of,
    prior_of,
    seeds,
)
from orchestrator.evidence.rules import ERROR_RATE, LOOKS

WELL_KNOWN = 200
scores = st.lists(st.floats(min_value=0.5, max_value=9.0), min_size=2, max_size=6)


@given(scores)
def test_the_noise_of_one_group_is_its_standard_deviation(group: list[float]) -> None:
    noise = noise_of([group])
    assert noise is not None and noise.deviation == pytest.approx(stdev(group), abs=1e-9)


def test_groups_are_pooled_by_their_degrees_of_freedom() -> None:
    noise = noise_of([[1.0, 3.0], [2.0, 2.0, 2.0], [7.0]])
    assert noise is not None and noise.freedom == 3 and noise.deviation == pytest.approx(math.sqrt(2 / 3))


def test_without_a_repeated_run_there_is_no_noise_to_know() -> None:
    assert noise_of([[1.0], [2.0], []]) is None


def test_the_noise_is_known_better_with_more_runs() -> None:
    few, many = Noise(0.01, 2).interval(), Noise(0.01, 50).interval()
    assert few[0] < many[0] < 0.01 < many[1] < few[1]
    assert many == pytest.approx((0.00861, 0.01199), abs=2e-5)  # sqrt(50 / chi-square of 0.95 and 0.05)


def test_the_same_difference_says_less_when_the_noise_is_poorly_known() -> None:
    assert Noise(1.0, 2).deviate(3.0, 1.0) < Noise(1.0, 10).deviate(3.0, 1.0) < 3.0


@pytest.mark.parametrize(
    ("t", "freedom", "deviate"),  # quantiles of Student's t and of the normal distribution from the tables
    [(31.821, 1, 2.3263), (9.925, 2, 2.5758), (4.541, 3, 2.3263), (2.228, 10, 1.9600), (2.364, 100, 2.3263)],
)
def test_a_t_statistic_becomes_the_normal_deviate_of_the_tables(t: float, freedom: int, deviate: float) -> None:
    assert Noise(1.0, freedom).deviate(t, 1.0) == pytest.approx(deviate, abs=2e-3)
    assert Noise(1.0, freedom).deviate(-t, 1.0) == pytest.approx(-deviate, abs=2e-3)


def play(effect: float, random: np.random.Generator, baseline_runs: int = 3) -> tuple[Decision, int, int]:
    """One experiment whose true gain is `effect` standard deviations; what came of it, and what it cost in runs."""
    baseline = list(random.standard_normal(baseline_runs))
    runs = [float(random.standard_normal() - effect)]
    while True:
        decision = decide("sequential", runs, baseline, Noise(1.0, WELL_KNOWN))
        if decision.action is Action.RUN:
            runs.append(float(random.standard_normal() - effect))
        elif decision.action is Action.BASELINE:
            baseline.append(float(random.standard_normal()))
        else:
            return decision, len(runs), len(baseline) - baseline_runs


def test_an_idea_that_does_nothing_is_promoted_no_more_often_than_stated_and_costs_little() -> None:
    random = np.random.default_rng(1)
    played = [play(0.0, random) for _ in range(8000)]
    rate = fmean(decision.action is Action.PROMOTE for decision, _, _ in played)
    assert rate < ERROR_RATE
    assert fmean(runs + extra for _, runs, extra in played) < 1.15


def test_a_gain_far_above_noise_is_promoted_almost_always() -> None:
    random = np.random.default_rng(2)
    assert fmean(play(4.0, random)[0].action is Action.PROMOTE for _ in range(2000)) > 0.97


def test_a_harm_is_hardly_ever_promoted() -> None:
    random = np.random.default_rng(3)
    assert fmean(play(-1.5, random)[0].action is Action.PROMOTE for _ in range(4000)) < 0.001


@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=8), st.sampled_from([0.0, 1e-250, 1e-9, 0.01, 1e9]))
def test_no_score_whatever_its_size_is_too_much_for_the_arithmetic(numbers: list[float], deviation: float) -> None:
    noise = noise_of([[*numbers, 3.0, 3.02]])
    assert noise is not None and math.isfinite(noise.deviation)
    for rule in ("sequential", "measured", "greedy"):
        decide(rule, numbers, [3.0, 3.1, *numbers], Noise(deviation, 4))  # type: ignore[arg-type]
    equivalent(numbers, [3.0, 3.1, *numbers], Noise(deviation, 4))
    measured = [Measured(number, deviation) for number in numbers] * 5
    belief = believed(measured[0], prior_of(measured, deviation))
    assert math.isfinite(belief.gain) and 0 <= belief.false <= 1


def test_what_was_too_large_for_a_score_says_nothing_of_noise() -> None:
    assert noise_of([[1.0, 3.0, -1e300], [1e300, 2.0]]) == noise_of([[1.0, 3.0]])


@given(
    st.lists(st.floats(min_value=2.9, max_value=3.1), min_size=1, max_size=LOOKS + 1),
    st.lists(st.floats(min_value=2.9, max_value=3.1), min_size=3, max_size=6),
)
def test_the_rule_always_comes_to_an_end_and_never_promotes_without_replication(
    runs: list[float], baseline: list[float]
) -> None:
    decision = decide("sequential", runs, baseline, Noise(0.01, 6))
    if len(runs) < LOOKS:
        assert decision.action is not Action.PROMOTE
    if len(runs) >= LOOKS and len(baseline) >= len(runs):
        assert decision.action in (Action.PROMOTE, Action.DROP)
    if decision.action is Action.PROMOTE:
        assert fmean(runs) < fmean(baseline)
    assert f"{fmean(runs):.4f}" in decision.reason


def test_a_change_of_seed_alone_is_within_noise() -> None:
    assert decide("sequential", [3.00, 3.02, 2.99], [3.01, 2.99, 3.02], Noise(0.015, 4)).action is not Action.PROMOTE


def test_greedy_promotes_what_is_better_once_and_measured_wants_three_runs() -> None:
    noise = Noise(0.01, 6)
    assert decide("greedy", [2.9999], [3.0], noise).action is Action.PROMOTE
    assert decide("greedy", [3.0], [3.0], noise).action is Action.DROP
    assert decide("measured", [2.99], [3.0] * 3, noise).action is Action.RUN
    assert decide("measured", [2.99, 2.99], [3.0] * 3, noise).action is Action.RUN
    assert decide("measured", [2.99] * 3, [3.0] * 3, noise).action is Action.DROP
    assert decide("measured", [2.97] * 3, [3.0] * 3, noise).action is Action.PROMOTE


def test_the_assigned_seeds_are_the_same_for_all() -> None:
    assert seeds(3) == (1, 2, 3)


def test_the_best_of_many_nulls_is_hardly_believed() -> None:
    random = np.random.default_rng(4)
    nulls = [Measured(float(gain), 1.0) for gain in random.standard_normal(60)]
    best = max(nulls, key=lambda one: one.gain)
    belief = believed(best, prior_of(nulls, 1.0))
    assert best.gain > 2 and belief.gain < best.gain / 3 and belief.false > 0.1


def test_a_gain_far_above_noise_is_believed_nearly_whole() -> None:
    gains = [Measured(gain, 0.1) for gain in (0.0, 3.0, -2.0, 1.0, -1.0, 2.5, 0.5)]
    prior = prior_of(gains, 0.1)
    belief = believed(gains[1], prior)
    assert belief.gain == pytest.approx(3.0, abs=0.05) and belief.false < 1e-6
    assert expected_false([belief, believed(gains[0], prior)]) == pytest.approx(0.5, abs=0.1)


LAB_NOISE = 0.01
ASTRAY = Measured(-1.0, LAB_NOISE * math.sqrt(4 / 3))
"""One run that is a whole bit per byte worse."""


def simulated(effects: np.ndarray, random: np.random.Generator) -> tuple[list[Measured], list[int]]:
    """What a lab measures of ideas with these true gains, and which of them it promotes."""
    measured, promoted = [], []
    for number, effect in enumerate(effects):
        baseline = [float(score) for score in LAB_NOISE * random.standard_normal(3)]
        runs: list[float] = []
        while len(runs) < LOOKS:
            runs.append(float(LAB_NOISE * random.standard_normal() - effect))
            if decide("sequential", runs, baseline, Noise(LAB_NOISE, WELL_KNOWN)).action is Action.DROP:
                break
        else:
            promoted.append(number)
        error = LAB_NOISE * math.sqrt(1 / len(runs) + 1 / 3)
        measured.append(Measured(fmean(baseline) - fmean(runs), error))
    return measured, promoted


def account(measured: list[Measured], promoted: list[int]) -> tuple[float, float]:
    """What is believed of all promotions together, and how many are expected to be none."""
    prior = prior_of(measured, LAB_NOISE)
    beliefs = [believed(measured[number], prior) for number in promoted]
    return sum(belief.gain for belief in beliefs), expected_false(beliefs)


@pytest.mark.parametrize(
    "effects",
    [np.zeros(100), np.array([0.0] * 95 + [0.02, 0.05, 0.1, 0.1, 0.2]), np.linspace(-0.06, 0.04, 60)],
    ids=["useless ideas", "few wins among useless ideas", "effects of every size"],
)
def test_one_run_that_went_astray_changes_hardly_what_is_believed_of_the_wins(effects: np.ndarray) -> None:
    random = np.random.default_rng(11)
    for _ in range(10):
        measured, promoted = simulated(effects, random)
        (gain, false), (gain_beside, false_beside) = (
            account(measured, promoted),
            account([*measured, ASTRAY], promoted),
        )
        assert gain_beside == pytest.approx(gain, rel=0.05, abs=0.002)
        assert false_beside == pytest.approx(false, rel=0.1, abs=0.05)


def test_what_useless_ideas_have_won_is_hardly_believed_and_large_wins_among_them_are() -> None:
    random = np.random.default_rng(12)
    effects = np.array([0.0] * 95 + [0.02, 0.05, 0.1, 0.1, 0.2])
    raw, told, true, of_none, of_large = [], [], [], [], []
    for _ in range(40):
        measured, promoted = simulated(effects, random)
        prior = prior_of(measured, LAB_NOISE)
        beliefs = {number: believed(measured[number], prior) for number in promoted}
        raw.append(sum(measured[number].gain for number in promoted))
        told.append(sum(belief.gain for belief in beliefs.values()))
        true.append(sum(effects[number] for number in promoted))
        of_none += [belief.gain / measured[number].gain for number, belief in beliefs.items() if effects[number] == 0]
        of_large += [
            belief.gain / measured[number].gain for number, belief in beliefs.items() if effects[number] > 0.04
        ]
    assert fmean(raw) - fmean(true) > 0.08 and abs(fmean(told) - fmean(true)) < 0.03
    assert fmean(of_none) < 0.3 and fmean(of_large) > 0.95


def test_believed_gains_are_on_average_the_true_ones() -> None:
    """The winners of a simulated lab: the raw gain flatters, the believed one does not."""
    random = np.random.default_rng(5)
    raw, shrunk, true = [], [], []
    for _ in range(200):
        effects = random.standard_normal(40) * 0.7 - 0.7
        measured = [Measured(float(effect + random.standard_normal()), 1.0) for effect in effects]
        best = max(range(40), key=lambda number: measured[number].gain)
        raw.append(measured[best].gain)
        shrunk.append(believed(measured[best], prior_of(measured, 1.0)).gain)
        true.append(effects[best])
    assert fmean(raw) - fmean(true) > 0.8
    assert abs(fmean(shrunk) - fmean(true)) < 0.25
