"""The vault's word on a gain, and equivalence: as often wrong as they say, and not more."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orchestrator.evidence import Action, Noise, Pair, equivalent, transfer
from orchestrator.evidence.equivalence import ERROR_RATE, MARGIN, MOST
from orchestrator.evidence.transfer import LEVEL

SEED, SPLIT = 0.01, 0.002  # how far runs scatter on both splits together, and on each by itself


def pairs(draw: np.random.Generator, count: int, validation: float, vault: float) -> list[Pair]:
    found = []
    for _ in range(count):
        common = draw.normal(0, SEED)
        found.append(Pair(validation + common + draw.normal(0, SPLIT), vault + common + draw.normal(0, SPLIT)))
    return found


def missing(gain: float, on_vault: float, labs: int = 2000) -> float:
    """How often the vault's gain is called missing, of winners with these true gains."""
    draw, count = np.random.default_rng(5), 0
    for _ in range(labs):
        winner, baseline = pairs(draw, 3, 1 - gain, 1.1 - on_vault), pairs(draw, 3, 1.0, 1.1)
        found = transfer(winner, baseline, [winner, baseline])
        assert found is not None
        count += found.missing
    return count / labs


def test_a_gain_that_is_alike_on_both_splits_is_hardly_ever_called_missing() -> None:
    assert missing(0.02, 0.02) < LEVEL
    assert missing(0.1, 0.1) < LEVEL


def test_a_gain_that_the_vault_has_nothing_of_is_found() -> None:
    assert missing(0.1, 0.0) > 0.8


def test_without_a_gain_on_validation_nothing_is_missing() -> None:
    assert missing(0.0, 0.0) < LEVEL / 2 and missing(-0.05, -0.1) == 0


def test_the_word_says_of_which_runs_it_is() -> None:
    winner, baseline = [Pair(2.0, 2.1), Pair(2.02, 2.12)], [Pair(2.5, 2.6), Pair(2.52, 2.62), Pair(2.54, 2.64)]
    found = transfer(winner, baseline, [winner, baseline])
    assert found is not None and found.sentence.startswith("the vault agrees: +0.5100 bits per byte gained on validat")
    assert found.sentence.endswith("by the 2 runs of then against 3")


def test_without_repeated_runs_nothing_is_said() -> None:
    one = [Pair(1.0, 1.1)]
    assert transfer(one, one, [one, one]) is None and transfer([], one, [[*one, *one]]) is None


def replayed(worse: float, labs: int = 4000) -> tuple[float, float]:
    """How often a smaller program, worse by so many deviations of a run, passes for equal, and its runs on average."""
    draw, noise = np.random.default_rng(6), Noise(1.0, 200)
    passed = runs = 0
    for _ in range(labs):
        baseline, scores = list(draw.normal(0, 1, 3)), [float(draw.normal(worse, 1))]
        while True:
            found = equivalent(scores, baseline, noise)
            if found.action is Action.RUN:
                scores.append(float(draw.normal(worse, 1)))
            elif found.action is Action.BASELINE:
                baseline.append(float(draw.normal(0, 1)))
            else:
                break
        passed += found.action is Action.PROMOTE
        runs += len(scores)
        assert len(scores) <= MOST
    return passed / labs, runs / labs


def test_a_program_worse_by_the_margin_passes_for_equal_no_more_often_than_it_says() -> None:
    assert replayed(MARGIN)[0] <= ERROR_RATE


def test_a_program_that_is_as_good_mostly_passes_and_a_bad_one_costs_few_runs() -> None:
    assert replayed(0.0)[0] > 0.5
    often, runs = replayed(4.0)
    assert often < 0.001 and runs < 1.2


def test_equality_is_never_shown_by_one_run_nor_with_a_noise_that_is_hardly_known() -> None:
    baseline: Sequence[float] = (0.99, 1.0, 1.01)
    assert equivalent((1.0,), baseline, Noise(0.01, 200)).action is Action.RUN
    assert equivalent((1.0, 1.0, 1.0), baseline, Noise(0.01, 200)).action is Action.PROMOTE
    assert equivalent((1.0, 1.0, 1.0), baseline, Noise(0.01, 2)).action is Action.RUN
