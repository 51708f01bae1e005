"""What a report tells: read from the store once, as plain values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from orchestrator import views
from orchestrator.evidence import Belief
from orchestrator.gains import beliefs_of
from orchestrator.lab import Lab
from orchestrator.marks import score_mark
from orchestrator.runs.result import FAILED
from orchestrator.store.reader import Reader
from orchestrator.store.records import Event, Experiment, Run, utc_now
from orchestrator.store.states import ENDED, State
from orchestrator.vault_words import vault_account, vault_means

NEAR_MISSES = 5
NEAR = 0.5
"""Standard deviations of one run that it may have been worse: more than that is a loss."""

ANOMALIES = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """`promotions` are in the order in which master took them, the start first, reverts among them; `beliefs` by
    experiment."""

    name: str
    at: str
    profile: str
    devices: tuple[str, ...]
    first_run: str | None
    runs: int
    slot_seconds: float  # of all runs together, wall
    baseline: views.Baseline
    promotions: tuple[Experiment, ...]
    scored: tuple[Experiment, ...]  # in the order of their outcomes
    own: tuple[Experiment, ...]  # people's, that ended without being merged
    near_misses: tuple[Experiment, ...]  # the best of those that were not merged, if chance may have made them worse
    still_worth: tuple[Experiment, ...]  # measurements of master without one of its wins, in that order
    failures: dict[str, int]  # runs without a score, by how they ended
    counts: dict[State, int]
    beliefs: dict[int, Belief]
    early_stopping: str
    vault: dict[int, float]  # mean score on the vault split, by experiment; for people, never for agents
    vault_account: str
    anomalies: tuple[Event, ...]
    tokens: int
    money: float  # in the currency of the models' prices
    mark: str  # of the scores (orchestrator.marks)
    unsandboxed: bool

    @property
    def taken_out(self) -> dict[int, int]:
        """By which revert each win is taken out of master, by its experiment."""
        return {one.id: one.taken_out_by for one in self.promotions if one.taken_out_by is not None}


async def facts_of(lab: Lab, reader: Reader) -> Facts:
    scored = await reader.scored()
    ran = await reader.rows("SELECT * FROM runs ORDER BY id")
    runs = [Run.from_row(row) for row in ran]
    counts = await reader.counts()
    ended = await reader.in_states(ENDED - {State.PROMOTED})
    own = [one for one in ended if "@" in one.author and one.reverses is None]
    lost = [one for one in scored if one.delta is not None and one.state in (State.DISCARDED, State.NOT_CONFIRMED)]
    missed = [one for one in lost if one.reverses is None]
    baseline = await views.baseline_of(reader)
    near = [one for one in missed if (one.delta or 0.0) <= NEAR * (baseline.noise or 0.0)]
    return Facts(
        name=lab.root.name,
        at=utc_now(),
        profile=await reader.meta("profile"),
        devices=tuple(sorted({run.device for run in runs if run.device})),
        first_run=runs[0].started_at if runs else None,
        runs=len(runs),
        slot_seconds=sum(views.run_seconds(run) or 0.0 for run in runs),
        baseline=baseline,
        promotions=tuple(await reader.promotions()),
        scored=tuple(scored),
        own=tuple(sorted(own, key=lambda one: one.id)),
        near_misses=tuple(sorted(near, key=lambda one: one.delta or 0.0)[:NEAR_MISSES]),
        still_worth=tuple(one for one in lost if one.reverses is not None),
        failures=dict(Counter(run.outcome for run in runs if run.outcome in FAILED and run.val_bpb is None)),
        counts={state: n for state, n in counts.items() if n},
        beliefs=await beliefs_of(reader),
        early_stopping=await reader.meta(views.EARLY_STOPPING),
        vault=await vault_means(reader),
        vault_account=await vault_account(reader),
        anomalies=tuple(reversed(await reader.newest_events("anomaly", ANOMALIES))),
        tokens=sum(agent.tokens_in + agent.tokens_out for agent in await reader.agents()),
        money=await views.money_spent(reader),
        mark=await score_mark(reader),
        unsandboxed=any(run.sandbox == "off" for run in runs),
    )
