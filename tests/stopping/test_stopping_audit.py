"""The audit: drawn reproducibly, counted honestly, and it stops the rule where the rule is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.stopping import Condemned, Judgement, Rehearsal, Rule, drawn_for_audit, judge, learn, take_stock
from orchestrator.stopping.quantiles import share_interval, t_quantile
from tests.stopping.curves_made import BASELINE, curve, record, recorded


def rule_with(*rehearsals: Rehearsal) -> Rule:
    return Rule(0.05, 60, (), rehearsals, None)


def stopped(number: int, seconds: float = 9.0) -> list[Condemned]:
    return [Condemned(run_id, audited=False, seconds_saved=seconds) for run_id in range(number)]


def finished(number: int, came_back: int = 0) -> list[Condemned]:
    return [Condemned(1000 + k, audited=True, came_back=k < came_back) for k in range(number)]


def test_a_tenth_of_the_runs_is_drawn_and_always_the_same_ones() -> None:
    drawn = [run for run in range(20_000) if drawn_for_audit("a lab", run)]
    assert len(drawn) == pytest.approx(2000, rel=0.1)
    assert drawn == [run for run in range(20_000) if drawn_for_audit("a lab", run)]
    assert drawn != [run for run in range(20_000) if drawn_for_audit("another lab", run)]


def test_the_account_adds_up() -> None:
    audit = take_stock([*stopped(30), *finished(3)], rule_with(*(Rehearsal(k, 0.5, False) for k in range(2000, 2020))))
    assert (audit.condemned, audit.stopped, audit.audited, audit.rehearsed) == (33, 30, 3, 20)
    assert (audit.rate, audit.came_back, audit.rehearsed_back, audit.seconds_saved) == (0.0, 0, 0, 270.0)
    assert (audit.low, audit.high) == pytest.approx((0.0, 0.474), abs=0.001)
    assert audit.suspended is None
    assert audit.sentence == (
        "33 runs condemned, 30 stopped, 4 min of slot time saved; 0 of 3 audited came back (0%, between 0% and 47%);"
        " of recorded runs that it would have condemned 0 of 20"
    )


def test_a_run_that_was_condemned_and_would_have_been_again_counts_once() -> None:
    audit = take_stock(finished(2), rule_with(Rehearsal(1000, 0.5, False), Rehearsal(5, 0.5, False)))
    assert (audit.audited, audit.rehearsed) == (2, 1)


def test_the_rule_is_suspended_above_the_limit_and_resumes_as_evidence_returns() -> None:
    bad = finished(10, came_back=1)
    audit = take_stock(bad, rule_with())
    assert audit.suspended == "10% of 10 checked runs came back, and the limit is 5%"
    assert take_stock(bad, rule_with(*(Rehearsal(k, 0.5, False) for k in range(9)))).suspended is not None
    assert take_stock(bad, rule_with(*(Rehearsal(k, 0.5, False) for k in range(10)))).suspended is None


def test_rehearsals_hide_no_audited_run_that_came_back() -> None:
    rehearsals = rule_with(*(Rehearsal(k, 0.5, False) for k in range(60)))
    audit = take_stock(finished(6, came_back=3), rehearsals)
    assert (audit.rate, audit.came_back, audit.rehearsed_back) == (0.5, 3, 0) and audit.low > 0.05
    assert audit.suspended == "3 of 6 audited runs came back, at least 22%, and the limit is 5%"
    assert "3 of 6 audited came back (50%, between 22% and 78%)" in audit.sentence
    assert "of recorded runs that it would have condemned 0 of 60" in audit.sentence
    assert audit.short == "0 stopped early, 0 s saved, 50% of 6 false, suspended"
    assert take_stock(finished(100, came_back=3), rehearsals).suspended is None, "what is spared meanwhile lifts it"


def test_the_rule_is_suspended_when_audited_runs_do_not_come_to_an_end() -> None:
    underway = [Condemned(500 + k, audited=True) for k in range(4)]
    audit = take_stock([*stopped(20), *underway], rule_with())
    assert audit.audited == audit.rehearsed == 0 and audit.rate is None
    assert audit.suspended == "only 0 of 2 runs that had to be checked for 20 stopped ones have been"
    assert take_stock([*stopped(20), *finished(2)], rule_with()).suspended is None


def test_a_run_under_a_suspended_rule_is_spared_and_told_why() -> None:
    rule = learn(recorded(60))
    audit = take_stock(finished(10, came_back=10), rule)
    verdict = judge(curve(3, 0.8, until=0.5), BASELINE, rule, audit, lab_id="lab", run_id=1)
    assert verdict.judgement is Judgement.SPARED and verdict.condemned
    assert "the rule is suspended" in verdict.sentence and "the limit is 5%" in verdict.sentence


def test_recorded_runs_that_the_rule_would_have_condemned_are_evidence() -> None:
    records = recorded(60)
    rehearsals = {rehearsal.run_id: rehearsal for rehearsal in learn(records).rehearsals}
    hopeless = [r for r in records if r.delta > 0.3]
    assert sum(r.run_id in rehearsals for r in hopeless) >= 0.9 * len(hopeless)
    assert all(not rehearsal.came_back for rehearsal in rehearsals.values())
    audit = take_stock([], learn(records))
    assert audit.audited == 0 and audit.rehearsed == len(rehearsals) and audit.rehearsed_back == 0
    assert audit.rate is None, "nothing was measured yet"


def test_among_the_recorded_that_would_have_been_condemned_comebacks_keep_to_the_limit() -> None:
    for seed in range(5):
        rehearsals = learn([*recorded(60, seed=seed), *(record(7000 + k, -0.3, late=1.0) for k in range(5))]).rehearsals
        assert sum(rehearsal.came_back for rehearsal in rehearsals) <= 0.05 * len(rehearsals)


@pytest.mark.parametrize("part", [0.0, -1.0, 1.5])
def test_an_audit_of_nobody_is_refused(part: float) -> None:
    with pytest.raises(ValueError, match="must be above 0 and at most 1"):
        take_stock([], rule_with(), part)


@pytest.mark.parametrize(
    ("probability", "freedom", "expected"),
    [(0.95, 5, 2.015), (0.95, 10, 1.812), (0.95, 30, 1.697), (0.99, 5, 3.365), (0.99, 20, 2.528)],
)
def test_the_quantiles_are_those_of_the_tables(probability: float, freedom: float, expected: float) -> None:
    assert t_quantile(probability, freedom) == pytest.approx(expected, rel=0.01)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_share_and_narrows_with_evidence(hits: int, misses: int) -> None:
    number = hits + misses
    low, high = share_interval(hits, number)
    assert 0 <= low <= high <= 1
    if number:
        assert low <= hits / number + 1e-9 and hits / number - 1e-9 <= high
        wide = share_interval(hits * 4, number * 4)
        assert wide[1] - wide[0] <= high - low + 1e-12
