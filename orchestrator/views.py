"""What the lab looks like, as plain values: the JSON of the reading commands, and the control room's figures."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

from orchestrator.evidence import (
    noise_of,
)
from orchestrator.gains import beliefs_of, progress_of
from orchestrator.lab import Lab, daemon_of
from orchestrator.marks import is_self_reported, score_mark
from orchestrator.store.filters import EVERYTHING, Filter
from orchestrator.store.reader import Reader
from orchestrator.store.records import (
    CONDITIONS,
    SIMPLIFICATION,
    Experiment,
    Run,
    SlotRow,
    seconds_since,
    utc_now,
)
from orchestrator.store.states import NOT_STARTED, STOPPED

BUSY_WINDOW_SECONDS = 3600.0
EARLY_STOPPING = "early_stopping"
"""The key in the table `meta` of the lab's account of early stopping, a sentence for people."""

SPENT = "budget_spent"
"""The key in `meta` (by team, see Team.key) of why a team rests; empty while it may go on."""

HALTED = "halted"
"""The key in `meta` of why nothing new starts in the lab at work; empty while all is well."""

DEAD_ENDPOINTS = "dead_endpoints"
"""Where the daemon keeps which servers of models do not answer: reasons by address, as JSON."""

EARLY_STOPPING_SHORT = "early_stopping_short"
"""The same in a few words; empty before anything was condemned."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The head of master and its scores, all of its `ground`; `noise` is the standard deviation of one run, bits per
    byte."""

    commit: str | None
    experiment_id: int | None
    val_bpb: float | None
    runs: int
    noise: float | None
    start_bpb: float | None  # the mean of experiment 0 there
    believed: float | None = None  # the gain since the start that is left after the winner's curse
    promotions: int = 0  # wins that stand in it
    expected_false: float = 0.0  # of these promotions
    gains: Mapping[int, float] = field(default_factory=dict)  # believed of each measured experiment, by its id
    mark: str = ""  # what must stand beside every score (score_mark)
    ground: str = ""

    @property
    def gain(self) -> float | None:
        """Bits per byte gained since the start (positive is better)."""
        return None if self.val_bpb is None or self.start_bpb is None else self.start_bpb - self.val_bpb


async def baseline_of(reader: Reader, line: str = "") -> Baseline:
    """How the lab's master stands, or that of the team `line` which has its own."""
    scored = await scored_baseline(reader, line)
    noise = noise_of(await reader.score_groups(scored.ground))
    beliefs = await beliefs_of(reader)
    progress = await progress_of(reader, line, beliefs)
    if progress.undone:  # it is the start again: two measurements of one program
        scored = replace(scored, start_bpb=scored.val_bpb)
    return replace(
        scored,
        noise=noise.deviation if noise is not None else None,
        believed=progress.gain,
        promotions=progress.wins,
        expected_false=progress.expected_false,
        gains={number: belief.gain for number, belief in beliefs.items()},
    )


async def scored_baseline(reader: Reader, line: str = "") -> Baseline:
    """The same without noise and beliefs, which take longer to reckon in a large lab. All of it is of one ground."""
    master = await reader.master(line)
    experiment = await reader.experiment(master.experiment_id) if master is not None else None
    start = await reader.experiment(0)
    mark = await score_mark(reader)
    if master is None or experiment is None or start is None:
        return Baseline(None, None, None, 0, None, None, mark=mark)
    runs = await reader.runs_of(experiment.id)
    ground = _ground_now(experiment, runs, await reader.meta(CONDITIONS))
    scored = valid_runs(experiment, runs, ground)
    return Baseline(
        master.commit_id,
        master.experiment_id,
        _mean(scored),
        len(scored),
        None,
        _mean(valid_runs(start, await reader.runs_of(0), ground)),
        mark=mark,
        ground=ground,
    )


def _ground_now(experiment: Experiment, runs: Sequence[Run], conditions: str) -> str:
    """Where master stands: on the ground that it was decided on, or where it has been measured anew since then."""
    anew = [run.ground for run in runs_at_head(experiment, runs) if run.counts and run.conditions == conditions]
    if experiment.ground in anew or not anew:
        return experiment.ground
    return Counter(anew).most_common(1)[0][0]


def _mean(runs: Sequence[Run]) -> float | None:
    scores = [run.val_bpb for run in runs if run.val_bpb is not None]
    return fmean(scores) if scores else None


async def noise_of_master(reader: Reader) -> float | None:
    """The standard deviation of one run, bits per byte, where master was measured."""
    noise = noise_of(await reader.score_groups((await scored_baseline(reader)).ground))
    return None if noise is None else noise.deviation


def runs_at_head(experiment: Experiment, runs: Sequence[Run]) -> list[Run]:
    """The runs of the experiment's present commit and attempt: those that its score is made of."""
    return [run for run in runs if run.commit_id == experiment.commit_id and run.attempt == experiment.attempt]


def valid_runs(experiment: Experiment, runs: Sequence[Run], ground: str | None = None) -> list[Run]:
    """The runs that its score is the mean of; `ground` takes those on another ground than its own."""
    wanted = experiment.ground if ground is None else ground
    return [run for run in runs_at_head(experiment, runs) if run.counts and run.ground == wanted]


def run_seconds(run: Run) -> float | None:
    """Wall seconds from start to end; None while it runs."""
    return None if run.ended_at is None else round(seconds_since(run.started_at, run.ended_at), 3)


def result_json(experiment: Experiment, runs: list[Run], self_reported: bool) -> dict[str, Any]:
    """One entry of `autolab results --json` (DESIGN 8)."""
    return {
        "id": experiment.id,
        "title": experiment.title,
        "hypothesis": experiment.hypothesis,
        "state": str(experiment.state),
        "val_bpb": experiment.val_bpb,
        "delta": experiment.delta,
        "runs": [
            {
                "kind": str(run.kind),
                "seed": run.seed,
                "val_bpb": run.val_bpb if run.counts else None,
                "seconds": run_seconds(run),
            }
            for run in runs_at_head(experiment, runs)
        ],
        "branch": experiment.branch,
        "commit": experiment.commit_id,
        "parent": experiment.parent,
        "team": experiment.team,
        "source": experiment.source,
        "self_reported": self_reported,
        "reason": experiment.reason,
        **({} if experiment.taken_out_by is None else {"taken_out_by": experiment.taken_out_by}),
        **({"unsandboxed": True} if unsandboxed(experiment, runs) else {}),
    }


def unsandboxed(experiment: Experiment, runs: list[Run]) -> bool:
    """Whether a score of the experiment comes from a run without a sandbox around it."""
    return any(run.sandbox == "off" for run in valid_runs(experiment, runs))


async def labels(reader: Reader) -> dict[int, str]:
    """`11.2` of each experiment that is not at its first attempt, by its id; the others are called by their ids."""
    rows = await reader.rows("SELECT id, attempt FROM experiments WHERE attempt > 1")
    return {int(row["id"]): f"{row['id']}.{row['attempt']}" for row in rows}


async def simplifications(reader: Reader) -> set[int]:
    """The experiments that were promoted because they simplify."""
    rows = await reader.rows("SELECT id FROM experiments WHERE promoted_as = ?", (SIMPLIFICATION,))
    return {int(row["id"]) for row in rows}


async def results_json(reader: Reader, only: Filter = EVERYTHING) -> list[dict[str, Any]]:
    noise = await noise_of_master(reader) if "error" in only.columns else None
    if "believed" in only.columns:
        reader.believes({number: belief.gain for number, belief in (await beliefs_of(reader)).items()})
    experiments = await reader.results(
        only=only,
        noise=noise,
        sort=only.sort or "id",
        descending=only.descending,
        limit=None,
    )
    runs = await reader.runs_of_many([experiment.id for experiment in experiments])
    self_reported = await is_self_reported(reader)
    return [result_json(experiment, runs[experiment.id], self_reported) for experiment in experiments]


async def queue_json(reader: Reader, only: Filter = EVERYTHING) -> list[dict[str, Any]]:
    return [
        {
            "id": experiment.id,
            "title": experiment.title,
            "state": str(experiment.state),
            "priority": experiment.priority,
            "source": experiment.source,
            "team": experiment.team,
            "reason": experiment.reason,
        }
        for experiment in await reader.queue(only)
    ]


def busy_fraction(slot: str, runs: list[Run], since: str, now: str) -> float:
    """The share of the time from `since` to `now` in which `slot` had a run, 0..1."""
    span = seconds_since(since, now)
    if span <= 0:
        return 0.0
    busy = 0.0
    for run in runs:
        if run.slot == slot:
            start, end = max(run.started_at, since), min(run.ended_at or now, now)
            busy += max(0.0, seconds_since(start, end))
    return round(min(1.0, busy / span), 4)


async def _busy_since(reader: Reader) -> tuple[str, bool]:
    """From when on it is counted how busy the slots are (UTC, ISO 8601), and whether that is the first run's start."""
    window = (datetime.now(UTC) - timedelta(seconds=BUSY_WINDOW_SECONDS)).isoformat().replace("+00:00", "Z")
    begun = await reader.row("SELECT min(started_at) AS at FROM runs")
    first = begun["at"] if begun is not None else None
    return (first, True) if first is not None and first > window else (window, False)


async def busy_window(reader: Reader) -> str:
    """What the share is of in which a slot was busy, in words."""
    since, young = await _busy_since(reader)
    minutes = seconds_since(since, utc_now()) / 60
    return f"the {minutes:.0f} min since the first run" if young else "the last hour"


async def slots_json(reader: Reader, slots: list[SlotRow]) -> list[dict[str, Any]]:
    """Slots with the experiment's run and the share of the last hour (or of the lab's life) in which each was busy."""
    now = utc_now()
    since, _ = await _busy_since(reader)
    runs = await reader.runs_since(since)
    return [
        {"name": slot.name, "run": slot.run_id, "busy_fraction": busy_fraction(slot.name, runs, since, now)}
        for slot in slots
    ]


async def runs_per_hour(reader: Reader, now: datetime) -> float:
    """Runs that came to an end of their own in the hour before `now`, scaled up while the lab is younger than that."""
    hour_ago = now - timedelta(hours=1)
    row = await reader.row(
        "SELECT count(*) AS n, min(started_at) AS first FROM runs WHERE ended_at >= ? AND outcome NOT IN (?, ?)",
        (hour_ago.isoformat().replace("+00:00", "Z"), NOT_STARTED, STOPPED),
    )
    if row is None or not row["n"]:
        return 0.0
    since = max(datetime.fromisoformat(row["first"]), hour_ago)
    return float(row["n"]) / max(1 / 60, (now - since).total_seconds() / 3600)


async def money_spent(reader: Reader) -> float:
    """What the models have cost so far, in the currency of their prices."""
    row = await reader.row("SELECT coalesce(sum(money), 0) AS money FROM calls")
    assert row is not None
    return float(row["money"])


async def dead_endpoints(reader: Reader) -> dict[str, str]:
    """Which servers of models do not answer: reasons by address. What a daemon that is gone has known is old."""
    found: dict[str, str] = json.loads(await reader.meta(DEAD_ENDPOINTS) or "{}")
    return found


async def resting(reader: Reader) -> dict[str, str]:
    """Why teams rest whose budget is spent, by team; the only team of a lab has no name here ("")."""
    rows = await reader.rows(
        "SELECT key, value FROM meta WHERE (key = ? OR key LIKE ?) AND value != ''", (SPENT, f"{SPENT}:%")
    )
    return {str(row["key"]).removeprefix(SPENT).removeprefix(":"): str(row["value"]) for row in rows}


async def status_json(lab: Lab, reader: Reader, team: str) -> dict[str, Any]:
    """`autolab status --json` (DESIGN 8). With the daemon down, `running` is false and the rest still answers."""
    daemon = daemon_of(lab)
    baseline = await baseline_of(reader)
    agents = await reader.agents()
    return {
        "running": daemon is not None,
        "pid": daemon.pid if daemon else None,
        "lab": str(lab.root),
        "profile": await reader.meta("profile"),
        "master": {
            "commit": baseline.commit,
            "val_bpb": baseline.val_bpb,
            "runs": baseline.runs,
            "noise": baseline.noise,
        },
        "slots": await slots_json(reader, await reader.slots()),
        "counts": {str(state): n for state, n in (await reader.counts()).items()},
        "team": team,
        "tokens": sum(agent.tokens_in + agent.tokens_out for agent in agents),
        "money": await money_spent(reader),
        "uptime_s": round(seconds_since(daemon.started_at), 1) if daemon else 0,
        "paused": await reader.meta("paused") == "yes",
        "resting": await resting(reader),
    }
