"""What a script prints, read as data: its score, and how far it is. The printing program is not to be trusted."""

from __future__ import annotations

import math
from dataclasses import dataclass

from orchestrator.runs.log_text import inert
from orchestrator.runs.untrusted import LARGEST_SCORE, is_score
from orchestrator.targets.target import ScriptTarget

LONGEST_LINE = 4000
"""Characters of the longest line that a pattern is tried on, so that no line makes a search endless. Longer ones are
passed over: a cut line could end in half a number."""


@dataclass(frozen=True, slots=True)
class NoMetric:
    """Why there is no score, in a sentence for people."""

    sentence: str


def read_metric(text: str, target: ScriptTarget) -> float | NoMetric:
    """The metric in what a run printed: the last line that the pattern matches counts.

    A carriage return ends a line too (progress bars), and control sequences (colours) are taken out before. A last
    match that is no number, or none of a sensible size, is a refusal: an earlier score does not stand in for it.
    """
    for line in reversed(_lines(text)):
        matches = list(target.metric.finditer(line))
        if matches:
            return _number(matches[-1].group(1), target)
    return NoMetric(f"The run printed nothing that target.metric matches ({target.metric.pattern!r}).")


def _number(found: str | None, target: ScriptTarget) -> float | NoMetric:
    shown = "" if found is None else found.strip()
    if not shown:
        return NoMetric(f"The last match of target.metric has no number in its group ({target.metric.pattern!r}).")
    number = _parsed(shown)
    if number is None:
        return NoMetric(f"The run printed {shown[:80]!r} where target.metric expects a number.")
    if not math.isfinite(number):
        return NoMetric(f"The run printed {shown[:80]!r} as its metric, which is not finite.")
    if not is_score(number):
        return NoMetric(
            f"The run printed {shown[:80]!r} as its metric, which is beyond ±{LARGEST_SCORE:g}: it has diverged, or"
            " wants a larger unit."
        )
    return number


def progress_of(line: str, target: ScriptTarget) -> float | None:
    """How far the run is by one printed line, 0..1; None when the line does not say.

    One group of the pattern is per cent done; two are done and total, in any unit.
    """
    if target.progress is None:
        return None
    pattern = target.progress
    matches = [found for part in _lines(line) for found in pattern.finditer(part)]
    if not matches:
        return None
    done = _parsed(matches[-1].group(1) or "")
    total = 100.0 if pattern.groups == 1 else _parsed(matches[-1].group(2) or "")
    if done is None or total is None or not (math.isfinite(done) and math.isfinite(total) and total > 0):
        return None
    return min(1.0, max(0.0, done / total))


def _parsed(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)  # float() would take 1_000
    except ValueError:
        return None


def _lines(text: str) -> list[str]:
    return [line for line in inert(text).split("\n") if len(line) <= LONGEST_LINE]
