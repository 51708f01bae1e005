"""Audited early stopping: which running screens have no hope left, learnt from the lab's own runs, and checked.

Pure logic, without store or processes: curves and recorded runs go in, a verdict in words comes out.

    rule = learn(records)                                  when a run has ended
    audit = take_stock(condemned, rule)                    then, too
    verdict = judge(curve, baseline, rule, audit, ...)     at every look at a running screen
"""

from orchestrator.stopping.audit import Audit, Condemned, drawn_for_audit, take_stock
from orchestrator.stopping.comparing import CHECKPOINTS, Gap, Record, gap_at, record_of
from orchestrator.stopping.curves import Curve, curve_from_jsonl, curve_of
from orchestrator.stopping.judging import Judgement, Verdict, judge
from orchestrator.stopping.rule import LIMIT, Margin, Rehearsal, Rule, learn

__all__ = [
    "CHECKPOINTS",
    "LIMIT",
    "Audit",
    "Condemned",
    "Curve",
    "Gap",
    "Judgement",
    "Margin",
    "Record",
    "Rehearsal",
    "Rule",
    "Verdict",
    "curve_from_jsonl",
    "curve_of",
    "drawn_for_audit",
    "gap_at",
    "judge",
    "learn",
    "record_of",
    "take_stock",
]
