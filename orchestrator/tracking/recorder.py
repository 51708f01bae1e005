"""`python -m orchestrator.tracking.recorder LAB PROJECT`: writes what the daemon orders, one order after the other.

An order is a line of JSON on standard input, the answer a line on standard output: {"done": true} when what was
ordered is on the disk, else {"failed": why}. It is a process of its own because Trackio takes a second to load, prints,
and holds a lock while it writes; none of that belongs into the daemon. It ends when its input ends, and when the lab is
gone. Killed at any
instant it leaves nothing half written, and whatever was not answered may be ordered again.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.lab import Lab
from orchestrator.runs.foothold import Foothold
from orchestrator.tracking.curve import rows_of
from orchestrator.tracking.leaving import take_away_what_was_made_anew
from orchestrator.tracking.project import FLEET, Key, Notice, Project, Row
from orchestrator.tracking.results_files import write_results


class Recorder:
    """Carries out the orders for one lab."""

    def __init__(self, lab: Lab, project: str) -> None:
        self._lab = lab
        self._name = project
        self._opened: Project | None = None

    @property
    def _project(self) -> Project:
        """Loaded with the first order that needs it."""
        if self._opened is None:
            self._opened = Project(self._name)
        return self._opened

    def carry_out(self, order: Mapping[str, Any]) -> None:
        """Raises KeyError for an order that nobody has taught it."""
        {"run": self._run, "fleet": self._fleet, "alerts": self._alerts, "results": self._results}[order["do"]](order)

    def _run(self, order: Mapping[str, Any]) -> None:
        rows = rows_of(Path(order["metrics"]), order["began"], order["ended"], order["final"])
        key = Key(f"run-{order['run_id']}", order["name"])
        self._project.log(key, rows, order["config"], group=order["group"], created=order["began"])

    def _fleet(self, order: Mapping[str, Any]) -> None:
        rows = [Row(str(point["step"]), point["step"], point["at"], point["values"]) for point in order["points"]]
        self._project.log(Key(FLEET, FLEET), rows, order["config"], group=FLEET, created=order["began"])

    def _alerts(self, order: Mapping[str, Any]) -> None:
        self._project.alert(Key(FLEET, FLEET), [Notice(**one) for one in order["alerts"]])

    def _results(self, order: Mapping[str, Any]) -> None:
        asyncio.run(write_results(self._lab))


def main() -> int:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what Trackio prints is no answer
    lab = Lab(Path(sys.argv[1]))
    recorder, foothold = Recorder(lab, sys.argv[2]), Foothold(lab.root, lab.database, lab.trackio)
    for line in sys.stdin:
        if foothold.gone:
            break
        answer: dict[str, object] = {"done": True}
        try:
            recorder.carry_out(json.loads(line))
        except Exception as error:  # the daemon tells it, and orders again later
            answer = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    if not foothold.gone:
        return 0
    take_away_what_was_made_anew(lab)
    return 1


if __name__ == "__main__":
    sys.exit(main())
