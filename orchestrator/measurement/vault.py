"""The vault: a split that nobody trains or validates on, scored at promotions, shown to people and never to agents.

Scored are the kept weights of the runs that a promotion was decided by, the winner's and its baseline's, each once.
Level-triggered: what is due is derived from the store at every look, so a daemon killed at any instant goes on, and a
scoring that outlived it is adopted. On CPU slots a scoring takes no slot: its clock is its own CPU time, and it stands
back in priority like every run. On GPUs, where a second process would slow a run down, it takes one that has nothing
to run; only after PATIENCE_SECONDS without such a moment does it go before the next run.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.evidence import Pair, transfer
from orchestrator.measurement.contest import baseline_experiment
from orchestrator.measurement.specs import spec_of_vault
from orchestrator.runs import Ended, NeverStarted, Outcome, Running, RunResult, Slot
from orchestrator.runs.provenance import hash_of_files
from orchestrator.runs.slots import device_kind
from orchestrator.store.records import Experiment, Run, VaultScore, seconds_since
from orchestrator.store.vault import due_runs, held_slots, undecided, vault_scores
from orchestrator.targets.target import ScriptTarget

ATTEMPTS = 12  # however they ended
FAILURES = 3
"""So many scorings without a score, and the run stays without one."""

PATIENCE_SECONDS = 1800.0
LOOK_SECONDS = 0.2


class Vault:
    """Sees to it that every promotion has its scores on the vault, one scoring at a time."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._there = not isinstance(context.settings.optimised(), ScriptTarget)

    def directory(self, score: VaultScore) -> Path:
        """Where a scoring leaves its files while it lasts."""
        return self._context.lab.vault / f"{score.run_id}.{score.attempt}"

    def worktree(self, run_id: int) -> Path:
        return self._context.lab.worktrees / f"vault-{run_id}"

    async def clear_leftovers(self) -> list[Path]:
        """Remove what a killed daemon left of scorings that are over; returns the worktrees of those under way."""
        found = (await vault_scores(self._context.store)).values()
        under_way = [score for score in found if score.state == "scoring"]
        keep = {self.directory(score) for score in under_way}
        for path in self._context.lab.vault.glob("*"):
            if path not in keep:
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        return [self.worktree(score.run_id) for score in under_way]

    # -- looking

    async def look(self, *, idle: bool, most: int = 1) -> int:
        """Take in what has ended and begin what is due, `most` at once; returns how many scorings are under way.

        `idle`: every run that is wanted has its slot already.
        """
        if not self._there:
            return 0
        store = self._context.store
        due = await due_runs(store)
        known = await vault_scores(store)
        for run in due:
            if run.id in known and known[run.id].state == "scoring":
                await self._collect(run, known[run.id])
        known = await vault_scores(store)
        under_way = sum(score.state == "scoring" for score in known.values())
        for run in due:
            if under_way < most and (run.id not in known or known[run.id].state == "again"):
                under_way += await self._begin(run, idle)
        await self._decide(due, await vault_scores(store))
        return under_way

    async def finish(self, hurry: bool) -> int:
        """One look at the end of the lab's work, when every slot is free; with `hurry` end what is under way.

        Returns how many scorings are under way.
        """
        if not hurry:
            return await self.look(idle=True, most=len(self._context.executor.slots()))
        left = 0
        runs = {run.id: run for run in await due_runs(self._context.store)}
        for score in (await vault_scores(self._context.store)).values():
            if score.state == "scoring" and score.run_id in runs:
                with contextlib.suppress(LabError):  # it has just ended by itself
                    await self._context.executor.stop(self.directory(score), now=True)
                await self._collect(runs[score.run_id], score)
                left += (await vault_scores(self._context.store))[score.run_id].state == "scoring"
        return left

    # -- one scoring

    async def _begin(self, run: Run, idle: bool) -> bool:
        """Whether a scoring of this run is under way now."""
        context = self._context
        slot = await self._slot(run, idle)
        if slot is None:
            return False
        missing = await asyncio.to_thread(self._missing, run)
        if missing is not None:
            await context.store.end_vault(run, "unscored", f"not scored on the vault: {missing}")
            return False
        score = await context.store.begin_vault(run, slot.name if slot.gpu is not None else "")
        worktree = self.worktree(run.id)
        try:
            await asyncio.to_thread(context.repository.checkout_commit, worktree, run.commit_id)
            await context.executor.start(spec_of_vault(context, run, slot, self.directory(score), worktree))
        except Exception as error:  # told like any other failure; the lab goes on
            await self._end(run, score, RunResult(Outcome.CRASH, f"the scorer could not be started: {error}"))
            return False
        return True

    async def _slot(self, run: Run, idle: bool) -> Slot | None:
        """A slot to score on; None when there is none at this moment."""
        slots = [slot for slot in self._context.executor.slots() if device_kind(slot) == run.device]
        if not slots:
            slots = [slot for slot in self._context.executor.slots() if slot.gpu is None]
        waited = seconds_since(run.ended_at) if run.ended_at is not None else 0.0
        if not idle and waited < PATIENCE_SECONDS:
            return None
        store = self._context.store
        taken = {one.slot for one in await store.runs_underway()} | await held_slots(store)
        return next((slot for slot in slots if slot.gpu is None or slot.name not in taken), None)

    def _missing(self, run: Run) -> str | None:
        """Why there is nothing to score: only the very weights that were validated count."""
        weights = self._context.lab.run_directory(run.id) / "weights.pt"
        if not weights.is_file():
            return f"the weights of run {run.id} are no longer there"
        if run.provenance.get("weights") != hash_of_files([("weights.pt", weights)]):
            return f"the weights of run {run.id} are not those that were validated"
        return None

    async def _collect(self, run: Run, score: VaultScore) -> None:
        match await self._context.executor.status(self.directory(score)):
            case Running():
                return
            case Ended(result=result):
                await self._end(run, score, result)
            case NeverStarted():
                await self._end(run, score, RunResult(Outcome.LOST, "it never began"))
            case lost:
                await self._end(run, score, RunResult(Outcome.LOST, lost.reason))

    async def _end(self, run: Run, score: VaultScore, result: RunResult) -> None:
        """Record what came of a scoring, then clear away: a daemon killed in between leaves files, never a gap."""
        store, bpb = self._context.store, result.val_bpb
        await self._context.executor.sweep(f"{self._context.lab.root}#vault-{run.id}")
        failed = result.outcome not in (Outcome.LOST, Outcome.KILLED)
        if result.outcome == Outcome.SCORED and bpb is not None:
            await store.end_vault(run, "scored", f"run {run.id} scores {bpb:.4f} on the vault", bpb=bpb)
        elif score.failures + failed >= FAILURES or score.attempt >= ATTEMPTS:
            await store.end_vault(run, "unscored", f"not scored on the vault: {result.reason}", failed=failed)
        else:
            await store.end_vault(run, "again", result.reason, failed=failed)
        await asyncio.to_thread(self._clear, run)

    def _clear(self, run: Run) -> None:
        """What the model's code printed while it was asked about the vault stays nowhere."""
        for path in self._context.lab.vault.glob(f"{run.id}.*"):
            shutil.rmtree(path, ignore_errors=True)
        self._context.repository.remove_worktree(self.worktree(run.id))

    # -- what follows

    async def _decide(self, due: list[Run], known: dict[int, VaultScore]) -> None:
        """Say of every promotion whether the vault agrees, as soon as its runs and its baseline's are through."""
        waiting = await undecided(self._context.store)
        if not waiting:
            return
        through = {run_id for run_id, score in known.items() if score.state in ("scored", "unscored")}
        open_ones = {run.experiment_id for run in due if run.id not in through}
        pairs: dict[tuple[int, str], list[Pair]] = {}
        for run in due:
            bpb = known[run.id].bpb if run.id in through else None
            if bpb is not None and run.val_bpb is not None:
                pairs.setdefault((run.experiment_id, run.ground), []).append(Pair(run.val_bpb, bpb))
        for experiment in waiting:
            base = await baseline_experiment(self._context, experiment)
            if experiment.id in open_ones or (base is not None and base.id in open_ones):
                continue
            sentence, anomaly = _verdict(experiment, base, pairs)
            await self._context.store.decide_vault(experiment.id, sentence, anomaly)


def _verdict(
    experiment: Experiment, base: Experiment | None, pairs: dict[tuple[int, str], list[Pair]]
) -> tuple[str, str | None]:
    """What the vault says of a promotion, and the anomaly if the gain is missing there."""
    groups = [group for (_, kind), group in pairs.items() if kind == experiment.ground]
    beside = pairs.get((base.id, experiment.ground), []) if base is not None else []
    found = transfer(pairs.get((experiment.id, experiment.ground), []), beside, groups)
    if found is None:
        return "nothing to compare: too few of its runs and its baseline's have a score on the vault", None
    if not found.missing:
        return found.sentence, None
    anomaly = f"experiment {experiment.id} improved on validation and not on the vault: {found.figures}"
    return found.sentence, anomaly
