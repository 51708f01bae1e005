"""The rule: silent without evidence, right about the hopeless, patient with late bloomers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.stopping import (
    CHECKPOINTS,
    Curve,
    Judgement,
    Rule,
    Verdict,
    curve_of,
    drawn_for_audit,
    judge,
    learn,
    take_stock,
)
from tests.stopping.curves_made import BASELINE, curve, record, recorded

LAB = "the lab"
AUDITED_RUN = next(run for run in itertools.count() if drawn_for_audit(LAB, run))
OTHER_RUN = next(run for run in itertools.count() if not drawn_for_audit(LAB, run))
KEPT = recorded(60)
RULE = learn(KEPT)


def verdict_on(run: Curve, rule: Rule = RULE, run_id: int = OTHER_RUN) -> Verdict:
    return judge(run, BASELINE, rule, take_stock([], rule), lab_id=LAB, run_id=run_id)


def stopped_at(delta: float, rule: Rule = RULE, late: float = 0.0, seed: int = 5) -> float | None:
    """The share of its budget at which a run is condemned, looked at after every checkpoint."""
    for share in CHECKPOINTS:
        if verdict_on(curve(seed, delta, late=late, until=share), rule).condemned:
            return share
    return None


def test_with_too_few_recorded_runs_nothing_is_condemned_and_it_says_so() -> None:
    rule = learn(recorded(19))
    assert rule.margins == () and stopped_at(5.0, rule) is None
    sentence = verdict_on(curve(1, 5.0), rule).sentence
    assert sentence.startswith("nothing is condemned yet: 19 recorded runs, and 20 are needed")


def test_a_stricter_limit_needs_more_recorded_runs() -> None:
    assert learn(KEPT, limit=0.01).silent is not None
    assert learn(KEPT, limit=0.1).silent is None


def test_runs_without_curves_leave_the_rule_silent() -> None:
    blind = [record(k, 0.1) for k in range(2)]
    nothing = [type(r)(k, tuple(None for _ in CHECKPOINTS), 0.1, False) for k, r in enumerate(blind * 15)]
    assert "do not tell" in (learn(nothing).silent or "")


def test_a_hopeless_run_is_condemned_early_and_a_level_or_better_one_never() -> None:
    early = stopped_at(0.8)
    assert early is not None and early <= 0.3
    assert all(stopped_at(delta, seed=seed) is None for delta in (0.0, -0.1, -0.5) for seed in range(10))


def test_of_the_condemned_no_more_come_back_than_the_limit_allows() -> None:
    """Fresh runs of the same kinds as those on record, a third of them within two of the score's own noise."""
    condemned = [fresh for fresh in recorded(300, seed=1) if any(gap and RULE.breach(gap) for gap in fresh.gaps)]
    assert len(condemned) > 100
    assert sum(fresh.came_back for fresh in condemned) <= 0.05 * len(condemned)


def test_the_verdict_gives_the_figures_it_rests_on() -> None:
    verdict = verdict_on(curve(3, 0.6, until=0.5))
    assert verdict.judgement is Judgement.STOPPED
    assert verdict.gap is not None and verdict.gap.size == pytest.approx(0.6, abs=0.1)
    assert verdict.sentence.startswith(f"at 50% of the budget its loss {verdict.gap.loss:.3f} is ")
    assert "above the baseline's, noise 0.0" in verdict.sentence
    margin = RULE.margin_at(0.5)
    assert margin is not None and margin.came_back == 0
    assert verdict.sentence.endswith(f"of {margin.beyond} recorded runs that were so far behind none came back")


def test_late_bloomers_on_record_widen_the_margins_until_what_they_make_up_is_spared() -> None:
    impatient, patient = RULE, learn(recorded(60, late=1.0))
    blooming = {"late": 0.8, "delta": -0.05}
    assert any(stopped_at(rule=impatient, seed=seed, **blooming) is not None for seed in range(10))
    assert all(stopped_at(rule=patient, seed=seed, **blooming) is None for seed in range(10))


def test_a_first_of_its_kind_that_came_back_widens_the_margins_at_once() -> None:
    taught = learn([*KEPT, record(900, -0.1, late=0.8, weight=10.0)])
    before, after = RULE.margin_at(0.2), taught.margin_at(0.2)
    assert before is not None and after is not None and after.gap > before.gap


def test_a_gap_within_the_curves_own_noise_condemns_nobody() -> None:
    verdicts = [verdict_on(curve(seed, 0.4, scatter=3.0)) for seed in range(40)]
    large = [v for v in verdicts if v.gap is not None and 0.3 < v.gap.size < 1.6 * v.gap.noise]
    assert len(large) > 5
    assert all(v.judgement is Judgement.GOES_ON for v in large)
    assert all(v.sentence.endswith("but not beyond the noise") for v in large)


def test_a_condemned_run_that_was_drawn_is_finished_for_the_audit() -> None:
    verdict = verdict_on(curve(3, 0.8, until=0.5), run_id=AUDITED_RUN)
    assert verdict.judgement is Judgement.AUDITED and verdict.condemned
    assert verdict.sentence.endswith("drawn for the audit, so it is finished all the same")


def test_nothing_is_judged_before_the_first_checkpoint_or_without_a_baseline() -> None:
    assert verdict_on(curve(1, 2.0, until=0.05)).sentence == "not judged before 10% of the budget"
    alone = judge(curve(1, 2.0), [], RULE, take_stock([], RULE), lab_id=LAB, run_id=1)
    assert alone.judgement is Judgement.GOES_ON and "baseline has no curve" in alone.sentence
    assert verdict_on(curve_of([])).judgement is Judgement.GOES_ON


@pytest.mark.parametrize("limit", [0.0, -0.1, 0.5, 1.0])
def test_a_limit_that_is_no_small_share_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="must be a share above 0 and below"):
        learn([], limit)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 10**6), st.integers(20, 60), st.floats(0, 1), st.floats(0, 1), st.sampled_from([0.02, 0.05, 0.2]))
def test_a_curve_equal_to_the_baselines_is_never_condemned(
    seed: int, number: int, hopeless: float, late: float, limit: float
) -> None:
    rule = learn(recorded(number, seed=seed, hopeless=hopeless, late=late), limit)
    for share in CHECKPOINTS:
        assert not judge(
            curve(seed, until=share), [curve(seed)], rule, take_stock([], rule), lab_id=LAB, run_id=seed
        ).condemned


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.floats(0.0, 2.0), st.floats(0.0, 1.0), st.sampled_from(CHECKPOINTS))
def test_a_worse_curve_is_condemned_wherever_a_better_one_is(
    seed: int, behind: float, further: float, share: float
) -> None:
    better, worse = (curve(seed, offset, until=share) for offset in (behind, behind + further))
    assert verdict_on(worse).condemned >= verdict_on(better).condemned


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(len(KEPT))))
def test_the_order_of_the_record_does_not_matter(order: list[int]) -> None:
    margins, shuffled = learn(KEPT).margins, learn([KEPT[k] for k in order]).margins
    assert [m.gap for m in shuffled] == pytest.approx([m.gap for m in margins])
