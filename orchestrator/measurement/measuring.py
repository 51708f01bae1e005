"""Runs: which are wanted, which slot takes them, and what came of those under way.

Level-triggered: every look derives what to do from the store, so that a daemon killed at any instant goes on where the
store stands.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass, replace

from orchestrator.context import Context
from orchestrator.evidence import BASELINE_SEEDS, Action, seeds
from orchestrator.measurement.contest import runs_at_head, standing
from orchestrator.measurement.fair_share import accounts_of, in_turn
from orchestrator.measurement.likeness import seed_ignored
from orchestrator.measurement.masters import called
from orchestrator.measurement.occupancy import Occupancy
from orchestrator.measurement.pruning import Pruning
from orchestrator.measurement.self_reported import keep_originals, with_progress, with_score
from orchestrator.measurement.specs import marker_of, spec_of, worktree_of
from orchestrator.measurement.starting_up import free_startup
from orchestrator.patches.rebasing import bring_up_to_master
from orchestrator.runs import Ended, Lost, NeverStarted, Outcome, Running, RunResult, Slot
from orchestrator.runs.slots import device_kind
from orchestrator.store.records import CONDITIONS, Decision, Experiment, Run, RunKind
from orchestrator.store.states import ACTIVE, ASKED_AGAIN, NOT_STARTED, STOPPED, State
from orchestrator.store.vault import held_slots
from orchestrator.store.writer import Measurement, Place

BASELINE_FAILURES = 2
"""So many failed runs of a starting point, and the lab asks for a person instead of trying for ever."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run that ought to take the next free slot."""

    experiment: Experiment
    kind: RunKind
    seed: int


class Measuring:
    """Keeps the slots busy with what most needs measuring."""

    def __init__(self, context: Context, experiments: int | None = None) -> None:
        """`experiments`: let no more than so many come to an outcome from now on (None: no end)."""
        self._context = context
        self._limit = experiments
        self._outcomes_before: int | None = None
        self._shown: dict[str, tuple[object, ...]] = {}
        self._pruning = Pruning(context)
        self._occupancy = Occupancy(context)
        self.closed = False  # true: nothing new starts
        self.stopped = set[int]()  # runs that were told to end because the lab is stopped

    # -- runs under way

    async def collect(self) -> int:
        """Record every run that has ended; returns how many did."""
        store, ended = self._context.store, 0
        for run in await store.runs_underway():
            match await self._context.executor.status(self._context.lab.run_directory(run.id)):
                case Running() as running:
                    await self._show(run, await with_progress(self._context, run, running))
                    await self._pruning.look(run, running)
                case Ended(result=result) if await self._vacated(run):
                    measured = _measurement(await with_score(self._context, run, result))
                    if run.id in self.stopped and measured.outcome == Outcome.KILLED:
                        reason = "killed because the lab was stopped; it is asked for again"
                        measured = replace(measured, outcome=STOPPED, reason=reason)
                    await self._end(run, await self._pruning.outcome(run, measured))
                    await self._pruning.keep_account(run.ground)
                    ended += 1
                case Lost(reason=reason) if await self._vacated(run):
                    await self._end(run, Measurement(str(Outcome.LOST), reason))
                    ended += 1
                case NeverStarted():
                    await self._end(
                        run,
                        Measurement(NOT_STARTED, "the daemon was stopped before this run began; it is asked for again"),
                    )
                    ended += 1
        return ended

    async def _vacated(self, run: Run) -> bool:
        """Whether no process of the run is left, on the machine and on its GPU; the slot is taken until then."""
        slots = {slot.name: slot for slot in self._context.executor.slots()}
        await self._context.executor.sweep(marker_of(self._context, run.id))
        return run.slot not in slots or await self._context.executor.free(
            slots[run.slot], marker_of(self._context, run.id)
        )

    async def _end(self, run: Run, measurement: Measurement) -> None:
        await self._context.store.end_run(run.id, measurement)
        await asyncio.to_thread(self._context.repository.remove_worktree, worktree_of(self._context, run.id))

    async def _show(self, run: Run, running: Running) -> None:
        facts = (running.phase, running.progress, running.step, running.loss)
        if self._shown.get(run.slot) != facts:
            self._shown[run.slot] = facts
            await self._context.store.set_slot(
                run.slot,
                run_id=run.id,
                phase=str(running.phase),
                progress=running.progress,
                step=running.step,
                loss=running.loss,
            )

    # -- new runs

    async def launch(self) -> int:
        """Start what is wanted on the free slots; returns how many runs began."""
        if self.closed:
            return 0
        begun = 0
        for slot in await self._free_slots():
            wanted = await self._next(device_kind(slot))
            if wanted is None:
                continue  # another slot may be of a kind that has something to do
            if not await self._start(wanted, slot):
                break
            begun += 1
        return begun

    async def _free_slots(self) -> list[Slot]:
        taken = {run.slot for run in await self._context.store.runs_underway()}
        taken |= await held_slots(self._context.store)  # by the vault, on GPUs alone
        return await self._occupancy.free([slot for slot in self._context.executor.slots() if slot.name not in taken])

    async def _next(self, device: str) -> Wanted | None:
        """What a slot of this kind of device had best run."""
        paused = await self._context.store.meta("paused") == "yes"
        if paused or await self.halted() is not None:
            return None
        return (
            await self._wanted_baseline(device)
            or await self._wanted_confirmation(device)
            or await self._wanted_screen()
        )

    async def halted(self) -> str | None:
        """Why nothing new may start although nobody paused the lab: no master can be measured.

        `autolab resume` lets failed runs be tried again; a new commit on master does, and helps against all else.
        """
        reasons = await self.stuck()
        return reasons[0] if len(reasons) == len(self._context.lines) else None

    async def stuck(self) -> list[str]:
        """Why nothing new starts on single masters: a sentence for each that cannot be measured."""
        found = [await self._unmeasurable(line) for line in self._context.lines]
        return [reason for reason in found if reason is not None]

    async def _unmeasurable(self, line: str) -> str | None:
        """Why the runs of a master fail, or say nothing of how far chance goes."""
        experiment, runs = await self._baseline(line)
        conditions = await self._context.store.meta(CONDITIONS)
        runs = [run for run in runs if run.conditions == conditions]
        target = self._context.settings.optimised()
        if not target.self_reported:  # a script's scores are still worth a look, though none is merged
            ignored = await asyncio.to_thread(seed_ignored, self._context.lab, runs)
            if ignored is not None:
                remedy = f"{target.seeding}, and commit that to {called(line)}"
                return f"nothing can be compared with {called(line)}: {ignored}; {remedy}"
        forgiven = int(await self._context.store.meta("runs_forgiven", "0"))
        failed = [
            run
            for run in runs
            if run.id > forgiven and run.ended and run.outcome not in ASKED_AGAIN and run.val_bpb is None
        ]
        if experiment is None or len(failed) < BASELINE_FAILURES:
            return None
        return f"{called(line)} cannot be measured: {failed[-1].reason}"

    async def _baseline(self, line: str) -> tuple[Experiment | None, list[Run]]:
        master = await self._context.store.master(line)
        experiment = await self._context.store.experiment(master.experiment_id) if master is not None else None
        return experiment, await runs_at_head(self._context, experiment) if experiment is not None else []

    async def _wanted_baseline(self, device: str) -> Wanted | None:
        """Each kind of device has a baseline of its own, on every master and under every settings that matter."""
        ground = await self._context.store.present_ground(device)
        for line in self._context.lines:
            experiment, runs = await self._baseline(line)
            if experiment is None or await self._unmeasurable(line) is not None:
                continue
            wanted = _missing(experiment, [run for run in runs if run.ground == ground])
            if wanted is not None:
                return wanted
        return None

    async def _in_turn(self, experiments: list[Experiment]) -> list[Experiment]:
        """Experiments by whose turn it is; a person's, and those of teams long gone, by their priority alone.

        Of a team alone in its lab they stay in their order.
        """
        teams = self._context.settings.teams_at_work
        if len(teams) == 1 or not experiments:
            return experiments
        turns = in_turn(await accounts_of(self._context))
        owned = [one for name in turns for one in experiments if one.team == name]
        free = [one for one in experiments if one.team not in turns]
        first = [one for one in free if owned and one.priority >= owned[0].priority]
        return [*first, *owned, *(one for one in free if one not in first)]

    async def _wanted_confirmation(self, device: str) -> Wanted | None:
        """On the kind of device that its screening run had; a run of the baseline where that tells more."""
        ground = await self._context.store.present_ground(device)
        for experiment in await self._in_turn(await self._context.store.in_states([State.CONFIRMING])):
            master = await self._context.store.master(experiment.line)
            if master is None or experiment.parent != master.commit_id or experiment.decision is not Decision.NONE:
                continue  # it is rebased as soon as its runs under way have ended, or decided on already
            runs = [run for run in await runs_at_head(self._context, experiment) if run.outcome not in ASKED_AGAIN]
            if experiment.ground != ground or any(run.val_bpb is None for run in runs):
                continue  # one at a time: each may settle it
            found = await standing(self._context, experiment, runs)
            if found is not None and found.decision.action is Action.RUN:
                return _next_seed(experiment, RunKind.CONFIRM, [run for run in runs if run.ground == ground])
            if found is not None and found.decision.action is Action.BASELINE:
                baseline = await runs_at_head(self._context, found.base)
                baseline = [run for run in baseline if run.ground == ground]
                if all(run.ended for run in baseline):
                    return _next_seed(found.base, RunKind.BASELINE, baseline)
        return None

    async def _wanted_screen(self) -> Wanted | None:
        if not await self._may_begin_another():
            return None
        for experiment in await self._in_turn(await self._context.store.in_states([State.READY])):
            present = await self._context.store.experiment(experiment.id)
            if present is None or present.state is not State.READY or await self._unmeasurable(present.line):
                continue
            experiment = await bring_up_to_master(self._context, present)
            if experiment.state is State.READY:
                return Wanted(experiment, RunKind.SCREEN, seeds(1)[0])
        return None

    async def _may_begin_another(self) -> bool:
        if self._limit is None:
            return True
        return await self.outcomes() + len(await self._context.store.in_states(ACTIVE)) < self._limit

    async def outcomes(self) -> int:
        """Experiments that came to an outcome since this engine began."""
        total = await self._context.store.count_outcomes()
        if self._outcomes_before is None:
            self._outcomes_before = total
        return total - self._outcomes_before

    async def finished(self) -> bool:
        """Whether as many experiments as asked for have come to an outcome."""
        return self._limit is not None and await self.outcomes() >= self._limit

    async def _start(self, wanted: Wanted, slot: Slot) -> bool:
        context, commit = self._context, wanted.experiment.commit_id
        assert commit is not None
        place = Place(slot.name, device_kind(slot), context.walls.kind)
        run = await context.store.begin_run(wanted.experiment, wanted.kind, wanted.seed, place, commit)
        try:
            worktree = worktree_of(self._context, run.id)
            await asyncio.to_thread(context.repository.checkout_commit, worktree, commit)
            await asyncio.to_thread(keep_originals, context, run)
            free = await free_startup(context, run.device)
            await context.executor.start(spec_of(context, run, slot, free))
        except Exception as error:  # the run is told as failed, whatever stood in its way; the lab goes on
            await self._end(run, Measurement(str(Outcome.CRASH), f"the run could not be started: {error}"))
            return False
        return True


def _missing(experiment: Experiment, runs: list[Run]) -> Wanted | None:
    """The first of the baseline's seeds that has neither a score nor a run under way."""
    have = {run.seed for run in runs if run.outcome is None or run.val_bpb is not None}
    seed = next((seed for seed in seeds(BASELINE_SEEDS) if seed not in have), None)
    return None if seed is None else Wanted(experiment, RunKind.BASELINE, seed)


def _next_seed(experiment: Experiment, kind: RunKind, runs: list[Run]) -> Wanted:
    """Another run, with the first seed that has no score."""
    have = {run.seed for run in runs if run.val_bpb is not None}
    return Wanted(experiment, kind, next(seed for seed in seeds(len(have) + 1) if seed not in have))


def _measurement(result: RunResult) -> Measurement:
    return Measurement(
        outcome=str(result.outcome),
        reason=result.reason,
        val_bpb=result.val_bpb,
        startup_seconds=result.startup_seconds,
        training_seconds=result.training_seconds,
        scoring_seconds=result.scoring_seconds,
        steps=result.steps,
        parameters=result.parameters,
        peak_memory=result.peak_memory_bytes,
        tokens=result.tokens,
        exit_code=result.exit_code,
        provenance=result.provenance,
    )


def discard_weights(context: Context, run: Run) -> None:
    """The weights of a run that led nowhere are not kept; its log, curve and result are."""
    directory = context.lab.run_directory(run.id)
    for path in directory.glob("weights*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            os.unlink(path)
