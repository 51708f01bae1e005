"""What a script prints, read as data: its score, and how far it is. The printing program is not to be trusted."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from orchestrator.runs.log_text import inert
from orchestrator.runs.untrusted import LARGEST_SCORE, count, is_score
from orchestrator.targets.searching import SEARCHER, OutOfTime
from orchestrator.targets.target import ScriptTarget

LONGEST_LINE = 4000
"""Characters of the longest line that a pattern is tried on. Longer ones are passed over: a cut line could end in half
a number."""

METRIC_SECONDS = 3.0
"""CPU time for the metric in a whole log, once a run. It is found in milliseconds, unless the pattern is one that tries
every way to part a line."""

PROGRESS_SECONDS = 1.0
"""CPU time for the progress in the last lines of a log."""


@dataclass(frozen=True, slots=True)
class NoMetric:
    """Why there is no score, in a sentence for people."""

    sentence: str


def read_metric(text: str, target: ScriptTarget, seconds: float = METRIC_SECONDS) -> float | NoMetric:
    """The metric in what a run printed: the last line that the pattern matches counts. Blocks, for a bounded time.

    A carriage return ends a line too (progress bars), and control sequences (colours) are taken out before. A last
    match that is no number, or none of a sensible size, is a refusal: an earlier score does not stand in for it.
    """
    pattern = target.metric
    try:
        groups = SEARCHER.last_groups(pattern, _lines(text), seconds)
    except OutOfTime:
        return NoMetric(f"{too_slow('metric', pattern, seconds)}.")
    if groups is None:
        return NoMetric(f"The run printed nothing that target.metric matches ({pattern.pattern!r}).")
    return _number(groups[0], target)


@dataclass(frozen=True, slots=True)
class Summary:
    """What the block after the last line `---` tells of a run, as karpathy/autoresearch's train.py prints it."""

    steps: int | None
    tokens: int | None


def read_summary(text: str) -> Summary:
    """`num_steps` and `total_tokens_M`, where they are printed. Blocks for milliseconds."""
    lines = [line.strip() for line in _lines(text)]
    last = next((at for at in reversed(range(len(lines))) if lines[at] == "---"), len(lines))
    told = dict(line.split(":", 1) for line in lines[last:] if ":" in line)
    millions = _parsed(told.get("total_tokens_M", ""))
    return Summary(
        steps=count(_parsed(told.get("num_steps", ""))),
        tokens=count(None if millions is None else millions * 1e6 + 0.5),  # a fraction is cut
    )


def too_slow(key: str, pattern: re.Pattern[str], seconds: float) -> str:
    """What is wrong with a pattern that ran out of time, and the remedy."""
    return (
        f"target.{key} could not be searched for in what the run printed within {seconds:g} s ({pattern.pattern!r}):"
        " write it without a repetition inside a repetition"
    )


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


def progress_of(text: str, target: ScriptTarget, seconds: float = PROGRESS_SECONDS) -> float | None:
    """How far the run is by the last of these lines that the pattern matches, 0..1; None when none of them says.

    One group of the pattern is per cent done; two are done and total, in any unit. Blocks; raises OutOfTime.
    """
    if target.progress is None:
        return None
    groups = SEARCHER.last_groups(target.progress, _lines(text), seconds)
    if groups is None:
        return None
    done = _parsed(groups[0] or "")
    total = 100.0 if len(groups) == 1 else _parsed(groups[1] or "")
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
