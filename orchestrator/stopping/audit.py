"""The audit: a random part of the condemned is finished all the same, and shows what the rule destroys.

Which runs are finished is decided by a hash of the lab's and the run's ids, so it can be reproduced and nobody chooses.
Evidence is of two kinds, counted together: condemned runs that were finished for the audit, and recorded runs that the
rule as it stands now would have condemned. The second kind flatters a little, for the margins were fitted to it; the
first does not, and each of its runs that came back stands for ten when the margins are learnt anew.

The rule stops condemning while the share of them that came back is above the limit, or while fewer are checked than
the audit's part of those stopped. What it would condemn in that time is finished, becomes evidence, and lets it go on
again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.stopping.quantiles import share_interval
from orchestrator.stopping.rule import LIMIT, Rule

AUDITED = 0.1
"""The part of the condemned that is finished all the same."""

CONFIDENCE = 0.9
"""Of the interval for the false-kill rate."""


@dataclass(frozen=True, slots=True)
class Condemned:
    """A run that was condemned while the rule was at work.

    `audited`: it was drawn to be finished. `came_back`: how that ended; None for a stopped run, for one under way, and
    for one that ended without a score. `seconds_saved`: of its budget; 0 for an audited one.
    """

    run_id: int
    audited: bool
    came_back: bool | None = None
    seconds_saved: float = 0.0


@dataclass(frozen=True, slots=True)
class Audit:
    """What is known of the false kills. `rate` is None before anything was checked; `low`..`high` is its interval."""

    condemned: int
    stopped: int
    audited: int  # of the condemned, finished and scored
    rehearsed: int  # recorded runs that would have been condemned
    came_back: int  # of both
    rate: float | None
    low: float
    high: float
    seconds_saved: float
    suspended: str | None  # why nothing is condemned for now
    sentence: str

    @property
    def checked(self) -> int:
        return self.audited + self.rehearsed

    @property
    def short(self) -> str:
        """The account in a few words."""
        rate = "unchecked" if self.rate is None else f"{self.rate:.0%} false"
        held = ", suspended" if self.suspended else ""
        return f"{self.stopped} stopped early, {_duration(self.seconds_saved)} saved, {rate}{held}"


def drawn_for_audit(lab_id: str, run_id: int, part: float = AUDITED) -> bool:
    """Whether this run is finished if it is condemned; always the same answer for the same lab and run."""
    digest = hashlib.sha256(f"audit of {lab_id}, run {run_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < part * 2**64


def take_stock(condemned: Iterable[Condemned], rule: Rule, part: float = AUDITED, limit: float = LIMIT) -> Audit:
    """The account of everything condemned so far. Raises ValueError when `part` is not above 0 and at most 1."""
    if not 0 < part <= 1:
        raise ValueError(f"the audited part is {part}, but must be above 0 and at most 1, such as 0.1")
    known = list(condemned)
    finished = [run for run in known if run.came_back is not None]
    ids = {run.run_id for run in known}
    rehearsed = [rehearsal for rehearsal in rule.rehearsals if rehearsal.run_id not in ids]
    stopped = sum(not run.audited for run in known)
    checked = len(finished) + len(rehearsed)
    back = sum(bool(run.came_back) for run in finished) + sum(rehearsal.came_back for rehearsal in rehearsed)
    rate = back / checked if checked else None
    low, high = share_interval(back, checked, CONFIDENCE)
    suspended = _why_suspended(rate, checked, stopped, limit, part)
    saved = sum(run.seconds_saved for run in known)
    counts = f"{_count(len(known), 'run')} condemned, {stopped} stopped, {_duration(saved)} of slot time saved"
    shown = f"{back} of {checked} checked came back" if checked else "none checked yet"
    interval = f" ({rate:.0%}, between {low:.0%} and {high:.0%})" if rate is not None else ""
    return Audit(
        condemned=len(known),
        stopped=stopped,
        audited=len(finished),
        rehearsed=len(rehearsed),
        came_back=back,
        rate=rate,
        low=low,
        high=high,
        seconds_saved=saved,
        suspended=suspended,
        sentence=f"{counts}; {shown}{interval}" + (f"; suspended: {suspended}" if suspended else ""),
    )


def _why_suspended(rate: float | None, checked: int, stopped: int, limit: float, part: float) -> str | None:
    if rate is not None and rate > limit:
        return f"{rate:.0%} of {checked} checked runs came back, and the limit is {limit:.0%}"
    owed = math.floor(stopped * part)
    if checked < owed:
        return f"only {checked} of {owed} runs that had to be checked for {stopped} stopped ones have been"
    return None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
