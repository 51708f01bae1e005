"""The balance between exploring and refining: what the planner states, and what the last runs really were.

An experiment refines when it builds on a result of this lab: it names an earlier experiment as its source, or varies
what an earlier one that ran has varied. Everything else explores.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orchestrator.store.reader import Reader
from orchestrator.store.rows import Row
from orchestrator.store.states import ACTIVE, RAN, State
from orchestrator.team_settings import PERSON, Team

STATED = "exploring_stated"
"""The key in `meta` of the share of runs that the planner states for exploring, 0..1."""

EXPLORING = "exploring_share"
"""The key in `meta` of the share that a plateau asks for; empty while there is none."""

USUAL = 0.33
"""Before the planner has stated any."""

RECENT = 20
_BUILDS_ON = re.compile(r"\bexperiments? \d+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Balance:
    """Shares of exploring, 0..1; `share` is that of the last `of` of the agents that began a run; None before that."""

    stated: float
    usual: bool  # nobody has stated it
    plateau: float | None
    share: float | None
    of: int

    @property
    def wanted(self) -> float:
        """A plateau goes before what was stated, where it asks for more."""
        return max(self.stated, self.plateau or 0.0)

    def as_json(self) -> dict[str, Any]:
        return {"stated": self.stated, "wanted": self.wanted, "share": self.share, "of": self.of}

    @property
    def told(self) -> str:
        raised = f", raised to {self.wanted:.0%} by a plateau" if self.wanted > self.stated else ""
        share = "" if self.share is None else f"; of the last {self.of} experiments {self.share:.0%} did"
        usual = " (nobody has stated another share)" if self.usual else ""
        return f"{self.stated:.0%} of the runs are to explore{usual}{raised}{share}"


async def balance_of(reader: Reader, team: Team | None = None) -> Balance:
    """Read it from the store: that of a team among several, or the lab's."""
    ran, among = [str(state) for state in (*RAN, *ACTIVE)], team is not None and not team.alone
    rows = await reader.rows(
        "SELECT id, team, source, variable FROM experiments WHERE id > 0 AND parent IS NOT NULL"
        f" AND state IN ({', '.join('?' for _ in ran)}) ORDER BY id",
        ran,
    )
    told = zip(rows, exploring(rows), strict=True)
    ours = [(row["team"], explores) for row, explores in told if row["team"] != PERSON]  # theirs are nobody's balance
    recent = [explores for name, explores in ours if team is None or not among or name == team.name][-RECENT:]
    stated_key, plateau_key = (STATED, EXPLORING) if team is None else (team.key(STATED), team.key(EXPLORING))
    stated, plateau = await reader.meta(stated_key), await reader.meta(plateau_key)
    return Balance(
        float(stated) if stated else USUAL,
        not stated,
        float(plateau) if plateau else None,
        sum(recent) / len(recent) if recent else None,
        len(recent),
    )


async def new_directions(reader: Reader) -> list[int]:
    """Which of the proposals that wait for a decision explore."""
    ran = [str(state) for state in (*RAN, *ACTIVE)]
    rows = await reader.rows(
        "SELECT id, state, source, variable FROM experiments WHERE id > 0 AND (state = 'proposed' OR parent IS NOT NULL"
        f" AND state IN ({', '.join('?' for _ in ran)})) ORDER BY state = 'proposed', id",
        ran,
    )
    told = zip(rows, exploring(rows), strict=True)
    return [int(row["id"]) for row, explores in told if explores and row["state"] == State.PROPOSED]


def exploring(experiments: Iterable[Row]) -> list[bool]:
    """Whether each of the experiments, oldest first, explored when it was proposed."""
    varied: set[str] = set()
    found = []
    for one in experiments:
        variable = " ".join(str(one["variable"]).casefold().split())
        found.append(not _BUILDS_ON.search(str(one["source"])) and (not variable or variable not in varied))
        varied.add(variable)
    return found
