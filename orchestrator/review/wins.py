"""The winning branches in the order in which master took them, with what a person needs to judge each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.errors import LabError
from orchestrator.figures import figure
from orchestrator.gains import beliefs_of
from orchestrator.given import no_experiment
from orchestrator.store.ablations import ABLATED
from orchestrator.store.reader import Reader
from orchestrator.store.records import REVERSAL, Decision, Experiment, Run
from orchestrator.store.states import ENDED, State, in_words
from orchestrator.store.vault import vault_verdicts
from orchestrator.vault_words import vault_means
from orchestrator.views import noise_of_master, run_seconds, valid_runs


@dataclass(frozen=True, slots=True)
class Accepted:
    """A person's mark on a win; `at` is UTC, ISO 8601."""

    actor: str
    at: str


@dataclass(frozen=True, slots=True)
class Score:
    """One side of a comparison: bits per byte, the standard error of the mean (None: unknown), valid runs."""

    mean: float | None
    error: float | None
    runs: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A measurement of master without a win, also one to come: on the master of which experiment, and whether that is
    master today."""

    experiment: Experiment
    on: int | None
    today: bool

    @property
    def where(self) -> str:
        """`by now`, or `on master 7`."""
        return "by now" if self.today or self.on is None else f"on master {self.on}"


@dataclass(frozen=True, slots=True)
class Win:
    """One promotion, also that of a revert, which is no win. `order` counts from 1; `believed` is the
    gain left after the winner's curse, bits per byte."""

    order: int
    experiment: Experiment
    merged_at: str
    merge: str  # the merge commit on master
    score: Score
    before: Score  # of the master that it was measured against
    before_id: int | None
    believed: float | None
    vault: float | None  # mean bits per byte on the vault split
    vault_said: str
    slot_seconds: float  # of all its runs, wall
    runs: int
    accepted: Accepted | None
    reverts: tuple[Experiment, ...]  # of it, oldest first
    left_out: tuple[LeftOut, ...]  # likewise
    returning: Experiment | None = None  # what is to put it back into master, and waits or runs

    @property
    def is_revert(self) -> bool:
        return self.experiment.is_revert

    @property
    def is_return(self) -> bool:
        """Whether it is the revert of a revert, so that a win is in master again."""
        return self.experiment.puts_back is not None

    @property
    def stands(self) -> bool:
        """Whether it is a win that master holds."""
        return not self.is_revert and self.experiment.taken_out_by is None

    @property
    def taken_out(self) -> Experiment | None:
        """The revert that master has taken, or that is on its way there."""
        stand = [one for one in self.reverts if one.taken_out_by is None]  # not those that were reverted themselves
        alive = [one for one in stand if one.state is State.PROMOTED or one.state not in ENDED]
        return alive[-1] if alive else None


def moved(win: Win) -> str:
    """How it was taken out of master or put back, or is to be, in a few words; empty for a win that stands."""
    if win.returning is not None:
        return f"return {win.returning.id} {in_words(win.returning.state)}"
    if win.is_return:
        return f"put back {win.experiment.puts_back}"
    if win.is_revert:
        return f"took out {win.experiment.reverses}"
    out = win.taken_out
    if out is not None and out.state is State.PROMOTED:
        return f"taken out by {out.id}"
    return "" if out is None else f"revert {out.id} {in_words(out.state)}"


def worth(win: Win) -> str:
    """What the last measurement without it found, or that there is one to come, in a few words; else empty."""
    if not win.left_out:
        return ""
    last, out = win.left_out[-1].experiment, win.taken_out
    if last.val_bpb is None or last.delta is None:
        return f"{last.id} without it {in_words(last.state)}"
    if out is not None and out.state is State.PROMOTED:
        return f"was worth {figure(last.delta, '+.4f')} ({last.id})"
    return f"worth {figure(last.delta, '+.4f')} {win.left_out[-1].where} ({last.id})"


def mark_key(experiment_id: int) -> str:
    """The key in the table `meta` of a person's mark."""
    return f"accepted {experiment_id}"


async def accepted_by(reader: Reader, experiment_id: int) -> Accepted | None:
    mark = await reader.meta(mark_key(experiment_id))
    return Accepted(**json.loads(mark)) if mark else None


def score_of(runs: Sequence[Run], noise: float | None) -> Score:
    """The mean of valid runs with its standard error; `noise` is the standard deviation of one run in this lab."""
    values = [run.val_bpb for run in runs if run.val_bpb is not None]
    if not values:
        return Score(None, None, 0)
    error = None if noise is None else noise / len(values) ** 0.5
    return Score(sum(values) / len(values), error, len(values))


async def wins_of(reader: Reader) -> list[Win]:
    """Every promotion, reverts among them, oldest first; starting points and a person's own commits are none.

    Raises LabError.
    """
    promoted = [one for one in await reader.promotions() if one.parent is not None and not one.is_start]
    masters = await reader.masters()
    first_at = {master.experiment_id: master for master in reversed(masters)}
    stood_on = {master.commit_id: master.experiment_id for master in masters}
    head = masters[-1].commit_id if masters else None
    bases = {stood_on[one.parent] for one in promoted if one.parent in stood_on}
    runs = await reader.runs_of_many([*{one.id for one in promoted} | bases])
    known = {one.id: one for one in await reader.promotions()}
    beliefs, vault, said = await beliefs_of(reader), await vault_means(reader), await vault_verdicts(reader)
    rows = await reader.rows("SELECT * FROM experiments WHERE source LIKE ? ORDER BY id", (f"{REVERSAL}%",))
    reversals = [Experiment.from_row(row) for row in rows]
    reverts = [one for one in reversals if one.decision is Decision.MERGE]
    left_out = [
        LeftOut(one, stood_on.get(one.parent or ""), one.parent == head)
        for one in reversals
        if one.decision is not Decision.MERGE
    ]
    marks = await _marks(reader)
    deviation = await noise_of_master(reader)
    wins = []
    for order, one in enumerate(promoted, 1):
        base_id = stood_on.get(one.parent or "")
        base = known.get(base_id) if base_id is not None else None
        belief = beliefs.get(one.id)
        wins.append(
            Win(
                order=order,
                experiment=one,
                merged_at=first_at[one.id].at,
                merge=first_at[one.id].commit_id,
                score=score_of(valid_runs(one, runs[one.id]), deviation),
                before=score_of(valid_runs(base, runs[base.id], one.ground), deviation)
                if base is not None
                else Score(None, None, 0),
                before_id=base_id,
                believed=belief.gain if belief is not None else None,
                vault=vault.get(one.id),
                vault_said=said.get(one.id, ""),
                slot_seconds=sum(run_seconds(run) or 0.0 for run in runs[one.id]),
                runs=len(runs[one.id]),
                accepted=marks.get(one.id),
                reverts=tuple(other for other in reverts if other.reverses == one.id),
                left_out=tuple(other for other in left_out if other.experiment.reverses == one.id),
                returning=_returning(one, reversals),
            )
        )
    return wins


def _returning(win: Experiment, reversals: Sequence[Experiment]) -> Experiment | None:
    revert = win.id if win.is_revert else win.taken_out_by
    meant = [one for one in reversals if one.puts_back is not None and one.reverses == revert]
    return next((one for one in meant if one.state not in ENDED), None)


async def _marks(reader: Reader) -> dict[int, Accepted]:
    rows = await reader.rows("SELECT key, value FROM meta WHERE key LIKE 'accepted %' AND value != ''")
    return {int(row["key"].split()[1]): Accepted(**json.loads(row["value"])) for row in rows}


async def ablations(reader: Reader, since: str = "") -> list[Experiment]:
    """Measurements of master without a win that have ended since then (UTC, ISO 8601; empty: ever), oldest first."""
    rows = await reader.rows(f"SELECT * FROM experiments WHERE {ABLATED} AND updated_at > ? ORDER BY id", (since,))
    return [Experiment.from_row(row) for row in rows]


async def require_patch(reader: Reader, experiment_id: int) -> Experiment:
    """The experiment, if it has a change to export: a starting point is none. Raises LabError."""
    experiment = await reader.experiment(experiment_id)
    if experiment is None:
        raise no_experiment(experiment_id)
    if experiment.commit_id is None:
        if experiment.state in ENDED:
            raise LabError(
                f"Experiment {experiment_id} ended without a patch.", f"`autolab show {experiment_id}` tells why."
            )
        raise LabError(f"Experiment {experiment_id} has no patch yet.", "A worker writes it when its turn comes.")
    if experiment.parent is None:
        raise LabError(
            f"Experiment {experiment_id} has no patch.", f"`autolab show {experiment_id}` tells where it stands."
        )
    return experiment
