"""The audit: a random part of the condemned is finished all the same, and shows what the rule destroys.

Which runs are finished is decided by a hash of the lab's and the run's ids, so it can be reproduced and nobody chooses.
Evidence is of two kinds, told apart: condemned runs that were finished all the same, and rehearsals, which are recorded
runs that the rule as it stands now would have condemned. The margins were fitted to the rehearsals, so they flatter;
the false-kill rate is that of the finished ones alone, and each that was drawn stands for ten when the margins are
learnt anew.

The rule is suspended, which means that it stops nothing, while the finished ones alone show that too many come back
(the lower end of their interval is above the limit), while the share of both kinds together is above the limit, or
while fewer are checked than the audit's part of those stopped. What it condemns in that time is finished and counts
like the audited runs, so it goes on again by itself.
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
"""Of the interval for the false-kill rate, both sides together."""


@dataclass(frozen=True, slots=True)
class Condemned:
    """A run that was condemned while the rule was at work.

    `audited`: it is finished all the same, drawn or because the rule was suspended. `came_back`: how that ended; None
    for a stopped run, for one under way, and for one that ended without a score. `seconds_saved`: of its budget; 0 for
    an audited one.
    """

    run_id: int
    audited: bool
    came_back: bool | None = None
    seconds_saved: float = 0.0


@dataclass(frozen=True, slots=True)
class Audit:
    """What is known of the false kills. `rate` is that of the audited, None before there is one; `low`..`high` is its
    interval."""

    condemned: int
    stopped: int
    audited: int  # of the condemned, finished and scored
    came_back: int  # of these
    rehearsed: int  # recorded runs that would have been condemned
    rehearsed_back: int  # of these
    rate: float | None
    low: float
    high: float
    seconds_saved: float
    suspended: str | None  # why nothing is condemned for now
    sentence: str

    @property
    def short(self) -> str:
        """The account in a few words."""
        rate = "unaudited" if self.rate is None else f"{self.rate:.0%} of {self.audited} false"
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
    back = sum(bool(run.came_back) for run in finished)
    rehearsed_back = sum(rehearsal.came_back for rehearsal in rehearsed)
    low, high = share_interval(back, len(finished), CONFIDENCE)
    suspended = _above_the_limit(back, len(finished), rehearsed_back, len(rehearsed), limit) or _too_few_checked(
        len(finished) + len(rehearsed), stopped, part
    )
    saved = sum(run.seconds_saved for run in known)
    told = [f"{_count(len(known), 'run')} condemned, {stopped} stopped, {_duration(saved)} of slot time saved"]
    if finished:
        interval = f"{back / len(finished):.0%}, between {low:.0%} and {high:.0%}"
        told.append(f"{back} of {len(finished)} audited came back ({interval})")
    else:
        told.append("none audited yet")
    if rehearsed:
        told.append(f"of recorded runs that it would have condemned {rehearsed_back} of {len(rehearsed)}")
    return Audit(
        condemned=len(known),
        stopped=stopped,
        audited=len(finished),
        came_back=back,
        rehearsed=len(rehearsed),
        rehearsed_back=rehearsed_back,
        rate=back / len(finished) if finished else None,
        low=low,
        high=high,
        seconds_saved=saved,
        suspended=suspended,
        sentence="; ".join([*told, *([f"suspended: {suspended}"] if suspended else [])]),
    )


def _above_the_limit(back: int, finished: int, rehearsed_back: int, rehearsed: int, limit: float) -> str | None:
    """Why the share of those that came back is too large, if it is."""
    low, _ = share_interval(back, finished, CONFIDENCE)
    if low > limit:
        return f"{back} of {finished} audited runs came back, at least {low:.0%}, and the limit is {limit:.0%}"
    checked = finished + rehearsed
    if checked and (rate := (back + rehearsed_back) / checked) > limit:
        return f"{rate:.0%} of {checked} checked runs came back, and the limit is {limit:.0%}"
    return None


def _too_few_checked(checked: int, stopped: int, part: float) -> str | None:
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
