"""Reading curves: what is a point, what the smoothed loss is, and which moments are compared."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.stopping import curve_from_jsonl, curve_of, gap_at
from orchestrator.stopping.phases import matching_share, rising, warmdown_from
from tests.stopping.curves_made import BASELINE, SCATTER, curve


def test_a_metrics_file_is_read_whatever_stands_in_it() -> None:
    text = "\n".join(
        [
            '{"event": "start"}',
            '{"step": 1, "progress": 0.1, "seconds": 1.5, "loss": 5.5, "tokens": 2048.0, "lr": 0.001}',
            '{"step": 2, "progress": 0.2, "loss": "nan"}',
            '{"step": 3, "progress": 0.05, "loss": 4.0}',
            '{"step": 4, "progress": 1.5, "loss": 4.0}',
            '{"step": 5, "progress": true, "loss": 4.0}',
            "[1, 2]",
            '{"step": 6, "progress": 0.3, "loss": 5}',
            '{"step": 7, "prog',
        ]
    )
    read = curve_from_jsonl(text)
    assert list(read.progress) == [0.1, 0.3] and list(read.loss) == [5.5, 5.0]
    assert read.rate[0] == 0.001 and math.isnan(read.rate[1])
    assert read.reached == 0.3


def test_a_curve_tells_nothing_before_it_gets_there_or_where_it_is_thin() -> None:
    assert curve(1, until=0.4).at(0.5) is None
    assert curve_of([]).at(0.5) is None
    assert curve(1, points=5).at(1.0) is None
    assert curve(1).at(0.5) is not None


def test_the_standard_error_of_a_smoothed_loss_is_what_it_scatters_by() -> None:
    read = [curve(seed).at(0.6) for seed in range(300)]
    known = [smoothed for smoothed in read if smoothed is not None]
    scatter = statistics.stdev(smoothed.loss for smoothed in known)
    assert scatter == pytest.approx(SCATTER / math.sqrt(40), rel=0.15)
    assert statistics.fmean(smoothed.error for smoothed in known) == pytest.approx(scatter, rel=0.15)


def test_the_noise_of_a_gap_is_what_the_gap_of_an_equal_run_scatters_by() -> None:
    gaps = []
    for seed in range(200):
        gap = gap_at(curve(9000 + seed), [curve(3 * seed + part) for part in range(3)], 0.6)
        assert gap is not None
        gaps.append(gap)
    assert statistics.fmean(gap.noise for gap in gaps) == pytest.approx(
        statistics.stdev(gap.size for gap in gaps), rel=0.35
    )


def test_a_run_in_its_peak_phase_is_compared_with_the_baseline_at_its_peak() -> None:
    early, late = curve(1, warmdown=0.4, log_rate=True), curve(2, warmdown=0.8, log_rate=True)
    assert warmdown_from(early) == pytest.approx(0.4, abs=0.02)
    assert matching_share(late, early, 0.7) == pytest.approx(0.4, abs=0.02)
    assert matching_share(late, early, 0.9) == pytest.approx(0.7, abs=0.03)  # both half way down
    assert matching_share(late, early, 0.3) == 0.3


def test_a_run_is_never_compared_with_a_later_moment_than_its_own() -> None:
    early, late = curve(1, warmdown=0.4, log_rate=True), curve(2, warmdown=0.8, log_rate=True)
    assert all(matching_share(early, late, share) <= share for share in (0.2, 0.4, 0.6, 0.8, 0.9))


def test_a_declared_warmdown_counts_where_no_rate_was_logged() -> None:
    baseline = curve(1, warmdown=0.4, log_rate=True)
    silent = curve(2, warmdown=0.8)
    assert matching_share(silent, baseline, 0.7) == 0.7
    points = [{"progress": k / 100, "loss": 3.0, "warmdown": 0.8} for k in range(1, 101)]
    declaring = curve_of(points)
    assert declaring.warmdown == 0.8
    assert matching_share(declaring, baseline, 0.7) == pytest.approx(0.4, abs=0.02)


def test_a_later_warmdown_looks_bad_at_equal_budget_and_level_at_equal_phase() -> None:
    def at(log_rate: bool) -> float:
        baseline = [curve(seed, warmdown=0.3, gain=0.6, log_rate=log_rate) for seed in (1, 2, 3)]
        gap = gap_at(curve(4, warmdown=0.8, gain=0.6, log_rate=log_rate), baseline, 0.8)
        assert gap is not None
        return gap.size

    assert at(log_rate=False) > 0.2
    assert at(log_rate=True) < 0.05


def test_a_run_whose_rate_still_rises_is_not_compared() -> None:
    lines = [{"progress": k / 100, "loss": 3.0, "lr": min(1.0, k / 30)} for k in range(1, 101)]
    warming = curve_of(lines)
    assert rising(warming, 0.2) and not rising(warming, 0.6)
    assert gap_at(warming, BASELINE, 0.2) is None
    assert gap_at(warming, BASELINE, 0.6) is not None


@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.25, 0.5, 0.9]))
def test_what_comes_after_a_checkpoint_does_not_change_what_is_read_there(seed: int, share: float) -> None:
    whole, part = curve(seed, log_rate=True), curve(seed, until=share, log_rate=True)
    assert whole.at(share) == part.at(share)
    assert gap_at(whole, BASELINE, share) == gap_at(part, BASELINE, share)
