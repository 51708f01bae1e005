"""The lab's Trackio project and its files of results, kept up to date by a child process (orchestrator.tracking).

Ended runs with their curves, alerts, and points of the run `fleet`. Everything may be ordered twice: an order that
was carried out before its answer came changes nothing when it is repeated.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from dataclasses import asdict
from datetime import datetime, timedelta
from textwrap import shorten

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.store.records import Level, Run
from orchestrator.tracking.dictation import Dictation, NotWritten
from orchestrator.tracking.project import FLEET
from orchestrator.watching.alerts import alerts_after
from orchestrator.watching.fleet import Fleet, Point

LOOK_SECONDS = 2.0
FLEET_SECONDS = 15.0
UNCHANGED_SECONDS = 300.0
"""So often a point is written although nothing has changed."""

RESULTS_SECONDS = 20.0
"""The files of results are written anew at most so often."""

RETRY_SECONDS = 30.0
FINISH_SECONDS = 20.0
MOST_POINTS = 1000
MOST_ALERTS = 200
LONGEST_TITLE = 80
"""Characters: the dashboard's list of alerts shows titles alone."""

PROJECT = "trackio_project"
"""The key in `meta` of the project's name: it stays when the lab's directory is renamed."""

ALERTS = "trackio_alerts"
"""The key in `meta` of the newest event whose alert is in the project."""


class Tracking:
    """Looks for what is new every few seconds until it is cancelled."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._fleet = Fleet(context.store)
        self._points: deque[Point] = deque(maxlen=MOST_POINTS)
        self._shown: tuple[float, dict[str, float]] | None = None  # when the last point was taken, and its values
        self._looked = 0.0
        self._results: tuple[int, float] | None = None  # the newest event that they hold, and when they were written
        self._dictation: Dictation | None = None
        self._trouble = False

    async def run(self) -> None:
        while True:
            kept = await self.flush()
            await asyncio.sleep(LOOK_SECONDS if kept else RETRY_SECONDS)

    async def finish(self) -> None:
        """Write what is left, so that nothing is missing after the end; what fails is written at the next start."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.flush(last=True), FINISH_SECONDS)
        if self._dictation is not None:
            await self._dictation.close()

    async def flush(self, *, last: bool = False) -> bool:
        """Write what is new; at the `last` time also what is not due yet. False when something could not be written:
        an event tells of the first failure after a success."""
        failure: Exception | None = None
        for part in (self._write_results, self._write_runs, self._write_alerts, self._write_points):
            try:
                await part(last)
            except (LabError, OSError) as error:
                failure = error
        if failure is not None and not self._trouble:
            sentence = f"Trackio or the files of results are behind: {failure} It is tried again."
            with contextlib.suppress(LabError):
                await self._context.store.event("lab", "autolab", sentence, after=Level.WARN)
        self._trouble = failure is not None
        return failure is None

    async def _order(self, order: dict[str, object]) -> None:
        if self._dictation is None:
            store, lab = self._context.store, self._context.lab
            project = await store.meta(PROJECT)
            if not project:
                project = lab.root.name
                await store.set_meta(PROJECT, project)
            settings = self._context.settings
            secrets = {settings.alerts.webhook_url_env, *(model.key_variable for model in settings.models.values())}
            self._dictation = Dictation(lab, project, secrets=[name for name in secrets if name is not None])
        await self._dictation.order(order)

    # -- what is written

    async def _write_results(self, last: bool) -> None:
        since = self._results[0] if self._results is not None else -1
        row = await self._context.store.row(
            "SELECT max(seq) AS seq FROM events WHERE seq > ? AND kind IN ('state', 'run', 'master', 'experiment')",
            (since,),
        )
        newest = -1 if row is None or row["seq"] is None else int(row["seq"])
        now = time.monotonic()
        due = self._results is None or last or now - self._results[1] >= RESULTS_SECONDS
        if newest > since and due:
            await self._order({"do": "results"})
            self._results = newest, now

    async def _write_runs(self, last: bool) -> None:
        refused: NotWritten | None = None
        for run in await self._context.store.untracked_runs():
            try:
                await self._order(await self._facts(run))
            except NotWritten as error:  # the others need not wait for this one
                refused = error
            else:
                await self._context.store.mark_tracked(run.id)
        if refused is not None:
            raise refused

    async def _facts(self, run: Run) -> dict[str, object]:
        experiment = await self._context.store.experiment(run.experiment_id)
        assert experiment is not None and run.ended_at is not None
        began = datetime.fromisoformat(run.started_at) + timedelta(seconds=run.startup_seconds or 0)
        return {
            "do": "run",
            "run_id": run.id,
            "name": f"exp-{experiment.label}-{run.kind}-seed{run.seed}-run{run.id}",
            "group": str(run.kind),
            "metrics": str(self._context.lab.run_directory(run.id) / "metrics.jsonl"),
            "began": began.isoformat(),
            "ended": run.ended_at,
            "config": {
                "experiment": experiment.id,
                "title": experiment.title,
                "kind": str(run.kind),
                "seed": run.seed,
                "commit": run.commit_id,
                "slot": run.slot,
                "device": run.device,
                "author": experiment.author,
                "team": experiment.team,
            },
            "final": {
                "val_bpb": run.val_bpb,
                "outcome": run.outcome,
                "training_seconds": run.training_seconds,
                "steps": run.steps,
            },
        }

    async def _write_alerts(self, last: bool) -> None:
        store = self._context.store
        while alerts := await alerts_after(store, int(await store.meta(ALERTS, "0")), MOST_ALERTS):
            notices = [
                {
                    "id": f"event-{alert.id}",
                    "level": str(alert.level),
                    "title": shorten(f"{alert.title}: {alert.text}", LONGEST_TITLE, placeholder="…"),
                    "text": alert.text,
                    "step": await self._fleet.step_at(alert.at),
                    "at": datetime.fromisoformat(alert.at).isoformat(),
                }
                for alert in alerts
            ]
            await self._order({"do": "alerts", "alerts": notices})
            await store.set_meta(ALERTS, str(alerts[-1].id))

    async def _write_points(self, last: bool) -> None:
        now = time.monotonic()
        if last or now - self._looked >= FLEET_SECONDS:
            self._looked = now
            point = await self._fleet.point()
            if (
                last
                or self._shown is None
                or self._shown[1] != point.values
                or now - self._shown[0] >= UNCHANGED_SECONDS
            ):
                self._shown = now, point.values
                self._points.append(point)
        if not self._points:
            return
        written = list(self._points)
        settings = self._context.settings
        await self._order(
            {
                "do": FLEET,
                "points": [asdict(point) for point in written],
                "began": await self._fleet.began(),
                "config": {
                    "lab": self._context.lab.root.name,
                    "profile": settings.lab.profile,
                    "team": settings.team_names,
                    "slots": len(await self._context.store.slots()),
                },
            }
        )
        for _ in written:
            self._points.popleft()
