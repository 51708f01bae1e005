"""The verdict on a live run: does it go on, is it stopped, or is it condemned and finished for the audit?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.stopping.audit import AUDITED, Audit, drawn_for_audit
from orchestrator.stopping.comparing import CHECKPOINTS, Gap, gap_at
from orchestrator.stopping.curves import Curve
from orchestrator.stopping.rule import Margin, Rule


class Judgement(StrEnum):
    GOES_ON = "goes on"
    STOPPED = "stopped"  # condemned: end it now, its state is `pruned`
    AUDITED = "audited"  # condemned: let it finish, and look at how it ended
    SPARED = "spared"  # condemned, but let finish like every run while the rule is suspended


@dataclass(frozen=True, slots=True)
class Verdict:
    """`sentence` is for people, with figures. `gap` is None when nothing could be compared yet."""

    judgement: Judgement
    sentence: str
    gap: Gap | None = None

    @property
    def condemned(self) -> bool:
        return self.judgement is not Judgement.GOES_ON


def judge(
    run: Curve,
    baseline: Sequence[Curve],
    rule: Rule,
    audit: Audit,
    *,
    lab_id: str,
    run_id: int,
    audited_part: float = AUDITED,
) -> Verdict:
    """The verdict at the latest checkpoint that the curve has passed; the same at every look until the next one.

    Ask for screening runs only, with the curves of the baseline's runs on the same kind of device and budget, and not
    again once a run was condemned.
    """
    if rule.silent is not None:
        return Verdict(Judgement.GOES_ON, f"nothing is condemned yet: {rule.silent}")
    passed = [share for share in CHECKPOINTS if share <= run.reached]
    if not passed:
        return Verdict(Judgement.GOES_ON, f"not judged before {CHECKPOINTS[0]:.0%} of the budget")
    gap = gap_at(run, baseline, passed[-1])
    if gap is None:
        sentence = "its curve has too few points or its learning rate still rises, or the baseline has no curve"
        return Verdict(Judgement.GOES_ON, f"not judged at {passed[-1]:.0%} of the budget: {sentence}")
    margin = rule.breach(gap)
    if margin is None:
        return Verdict(Judgement.GOES_ON, f"{_facts(gap)}: {_why_not(gap, rule)}", gap)
    told = f"{_facts(gap)}, margin {margin.gap:.3f}; {_record(margin, rule)}"
    if audit.suspended is not None:
        return Verdict(Judgement.SPARED, f"{told}; it goes on, for the rule is suspended: {audit.suspended}", gap)
    if drawn_for_audit(lab_id, run_id, audited_part):
        return Verdict(Judgement.AUDITED, f"{told}; drawn for the audit, so it is finished all the same", gap)
    return Verdict(Judgement.STOPPED, told, gap)


def _facts(gap: Gap) -> str:
    side = "above" if gap.size >= 0 else "below"
    return (
        f"at {gap.share:.0%} of the budget its loss {gap.loss:.3f} is {abs(gap.size):.3f} {side} the baseline's,"
        f" noise {gap.noise:.3f}"
    )


def _why_not(gap: Gap, rule: Rule) -> str:
    margin = rule.margin_at(gap.share)
    if margin is None:
        return "too few recorded runs tell what is made up after this point"
    if gap.size > margin.gap:
        return f"beyond the margin of {margin.gap:.3f}, but not beyond the noise"
    return f"within the margin of {margin.gap:.3f}"


def _record(margin: Margin, rule: Rule) -> str:
    if margin.beyond == 0:
        return f"none of {rule.recorded} recorded runs was ever so far behind there"
    back = "none" if margin.came_back == 0 else str(margin.came_back)
    were = "run that was" if margin.beyond == 1 else "runs that were"
    return f"of {margin.beyond} recorded {were} so far behind {back} came back"
