"""The rule that condemns: learnt from recorded runs, silent until there are enough of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.stopping.comparing import CHECKPOINTS, Gap, Record
from orchestrator.stopping.margins import Array, Table, fitted_margins, noise_factor, table_of

LIMIT = 0.05
"""The largest share of the condemned that may be runs that would have come back, unless the lab sets another."""


@dataclass(frozen=True, slots=True)
class Margin:
    """The gap beyond which a run is condemned at `share`; how many recorded runs were beyond it, and came back."""

    share: float
    gap: float
    beyond: int
    came_back: int


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A recorded run that the rule as it stands now would have condemned at `share`."""

    run_id: int
    share: float
    came_back: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """`silent` says why the rule condemns nothing; None when it may. Margins stand where one could be learnt."""

    limit: float
    recorded: int
    margins: tuple[Margin, ...]
    rehearsals: tuple[Rehearsal, ...]
    silent: str | None

    def margin_at(self, share: float) -> Margin | None:
        return next((margin for margin in self.margins if margin.share == share), None)

    def breach(self, gap: Gap) -> Margin | None:
        """The margin that the gap exceeds, if it is more than noise, too; None when the run goes on."""
        margin = self.margin_at(gap.share)
        if margin is None or gap.size <= margin.gap:
            return None
        return margin if gap.size > noise_factor(self.limit) * gap.noise else None


def runs_needed(limit: float) -> int:
    """In fewer recorded runs a share as small as the limit could not have shown."""
    return math.ceil(1 / limit)


def learn(records: Sequence[Record], limit: float = LIMIT) -> Rule:
    """The rule from the lab's finished runs of one kind of device and one budget, whatever kind of run they are.

    Takes milliseconds for hundreds of records. Raises ValueError when the limit is not a share between 0 and 0.5.
    """
    if not 0 < limit < 0.5:
        raise ValueError(
            f"the limit of false kills is {limit}, but must be a share above 0 and below 0.5, such as 0.05"
        )
    needed = runs_needed(limit)
    if len(records) < needed:
        known = f"{len(records)} recorded run{'s' * (len(records) != 1)}"
        sentence = f"{known}, and {needed} are needed to learn what can still be made up"
        return Rule(limit, len(records), (), (), sentence)
    table = table_of(records)
    gaps = fitted_margins(table, limit, needed)
    margins = tuple(_margin(table, checkpoint, float(gap)) for checkpoint, gap in enumerate(gaps) if math.isfinite(gap))
    if not margins:
        sentence = f"the curves of {len(records)} recorded runs do not tell yet what can still be made up"
        return Rule(limit, len(records), (), (), sentence)
    return Rule(limit, len(records), margins, _rehearsed(records, table, gaps, limit), None)


def _margin(table: Table, checkpoint: int, gap: float) -> Margin:
    beyond = table.gaps[:, checkpoint] > gap  # NaN is not
    return Margin(CHECKPOINTS[checkpoint], gap, int(beyond.sum()), int((beyond & table.came_back).sum()))


def _rehearsed(records: Sequence[Record], table: Table, gaps: Array, limit: float) -> tuple[Rehearsal, ...]:
    """At which checkpoint, if at any, each recorded run would have been condemned."""
    beyond = (table.gaps > gaps) & (table.gaps > noise_factor(limit) * table.noises)
    return tuple(
        Rehearsal(record.run_id, CHECKPOINTS[int(np.argmax(row))], record.came_back)
        for record, row in zip(records, beyond, strict=True)
        if row.any()
    )
