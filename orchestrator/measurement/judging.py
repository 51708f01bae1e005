"""From scores to outcomes: the one place where experiments are discarded, confirmed and merged into master.

Level-triggered like the runs: it looks at every experiment that has started a run and takes the next step that its
runs allow, or none.
"""

from __future__ import annotations

import asyncio

from orchestrator.context import Context
from orchestrator.evidence import Action
from orchestrator.figures import figure
from orchestrator.measurement.contest import Standing, baseline_experiment, runs_at_head, scores_on, standing
from orchestrator.measurement.likeness import seed_ignored
from orchestrator.measurement.masters import follow_masters, ref_of
from orchestrator.measurement.measuring import discard_weights
from orchestrator.patches.rebasing import bring_up_to_master
from orchestrator.patches.repairing import send_back
from orchestrator.runs import Outcome
from orchestrator.store.ablations import WORTH
from orchestrator.store.records import CANCELLED, CONDITIONS, SIMPLIFICATION, Decision, Experiment, Run
from orchestrator.store.states import ACTIVE, ASKED_AGAIN, ENDED, State
from orchestrator.targets.target import Direction, ScriptTarget
from orchestrator.views import unsandboxed

_FAILURES = {
    Outcome.KILLED: State.KILLED,
    Outcome.INVALID: State.INVALID,
    Outcome.LOST: State.LOST,
    Outcome.PRUNED: State.PRUNED,
}


def state_after(outcome: str) -> State:
    """The state of an experiment whose run ended without a score."""
    return _FAILURES.get(Outcome(outcome), State.CRASHED)


class Judging:
    """Turns ended runs into outcomes, and wins into merges."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def judge(self) -> int:
        """Take every step that the runs allow; returns how many were taken."""
        steps = 0
        for experiment in await self._context.store.in_states(ACTIVE):
            after = await self._step(experiment)
            if after is None:
                continue
            steps += 1
            if after.state in ENDED and after.state is not State.PROMOTED:
                for run in await self._context.store.runs_of(after.id):
                    if run.ended:
                        await asyncio.to_thread(discard_weights, self._context, run)
        return steps

    async def _step(self, experiment: Experiment) -> Experiment | None:
        runs = await runs_at_head(self._context, experiment)
        match experiment.state:
            case State.RUNNING:
                return await self._after_screen(experiment, runs)
            case State.SCORED:
                return await self._compare(experiment, runs)
            case State.CONFIRMING:
                return await self._after_confirmation(experiment, runs)
            case _:
                return None

    async def _after_screen(self, experiment: Experiment, runs: list[Run]) -> Experiment | None:
        if not runs or any(not run.ended for run in runs):
            return None
        newest = runs[-1]
        if newest.outcome in ASKED_AGAIN:
            return await self._context.store.move(experiment.id, State.READY, newest.reason)
        if newest.val_bpb is None:
            assert newest.outcome is not None
            reason = await self._cancelled(newest) or await self._asked_for(newest) or newest.reason
            ended = await self._context.store.move(experiment.id, state_after(newest.outcome), reason)
            return await send_back(self._context, ended, newest) or ended
        return await self._context.store.move(
            experiment.id, State.SCORED, f"scored {newest.val_bpb:.4f} with seed {newest.seed}"
        )

    async def _cancelled(self, run: Run) -> str:
        """Why an agent had the run stopped, if one had."""
        row = await self._context.store.row(
            "SELECT actor, reason FROM events WHERE kind = ? AND experiment_id = ? AND after = ?",
            (CANCELLED, run.experiment_id, str(run.id)),
        )
        if row is None or run.outcome != Outcome.KILLED:
            return ""
        return f"cancelled by the {row['actor']}: {row['reason']}"

    async def _asked_for(self, run: Run) -> str:
        """On whose request the run was ended, if on anybody's."""
        row = await self._context.store.row(
            "SELECT actor, reason FROM events WHERE kind = 'run' AND experiment_id = ? AND reason IN (?, ?)"
            " ORDER BY seq DESC LIMIT 1",
            (run.experiment_id, f"stop run {run.id}", f"kill run {run.id}"),
        )
        if row is None or run.outcome != Outcome.KILLED:
            return ""
        return f"{'killed' if row['reason'].startswith('kill') else 'stopped'} on request of {row['actor']}"

    async def _compare(self, experiment: Experiment, runs: list[Run]) -> Experiment | None:
        if experiment.decision is Decision.MERGE:
            return await self._carry_out(experiment)
        if await self._is_outdated(experiment, runs):
            return await self._measure_anew(experiment)
        found = await standing(self._context, experiment, runs)
        if found is None:
            return None  # its baseline is still being measured
        if found.decision.action is Action.DROP:
            return await self._context.store.move(experiment.id, State.DISCARDED, _lost(experiment, found))
        if not await self._stands_on_master(experiment):
            return await bring_up_to_master(self._context, experiment)
        return await self._context.store.move(experiment.id, State.CONFIRMING, found.decision.reason)

    async def _after_confirmation(self, experiment: Experiment, runs: list[Run]) -> Experiment | None:
        if any(not run.ended for run in runs):
            return None
        failed = [run for run in runs if run.val_bpb is None and run.outcome not in ASKED_AGAIN]
        if failed:
            outcome, asked = failed[-1].outcome, await self._asked_for(failed[-1])
            assert outcome is not None
            reason = f"a confirming run was {asked}" if asked else f"a confirming run failed: {failed[-1].reason}"
            return await self._context.store.move(experiment.id, state_after(outcome), reason)
        compared = [run for run in runs if run.ground == experiment.ground]
        ignored = await asyncio.to_thread(seed_ignored, self._context.lab, compared)
        if ignored is not None:
            return await self._context.store.move(experiment.id, State.INVALID, ignored)
        if not await self._stands_on_master(experiment):
            return await bring_up_to_master(self._context, experiment)  # before another run is spent on an old master
        if experiment.decision is Decision.MERGE:
            return await self._carry_out(experiment)
        if await self._is_outdated(experiment, runs):
            return await self._measure_anew(experiment)
        found = await standing(self._context, experiment, runs)
        if found is None or found.decision.action in (Action.RUN, Action.BASELINE):
            return None
        if found.decision.action is Action.DROP:
            return await self._context.store.move(experiment.id, State.NOT_CONFIRMED, _lost(experiment, found))
        promoted_as = SIMPLIFICATION if found.decision.simplifies else ""
        return await self.merge(experiment, found.decision.reason, "autolab", promoted_as)

    async def _is_outdated(self, experiment: Experiment, runs: list[Run]) -> bool:
        """Whether its score is of other settings than those of now, under which nothing more would be compared."""
        present = await self._context.store.meta(CONDITIONS)
        return any(run.ground == experiment.ground and run.conditions != present for run in runs)

    async def _measure_anew(self, experiment: Experiment) -> Experiment:
        reason = "measured under other settings than autolab.toml has now, to be measured anew"
        return await self._context.store.move(experiment.id, State.READY, reason)

    async def _carry_out(self, experiment: Experiment) -> Experiment:
        """What a person has decided, now that the experiment is measured."""
        if not await self._stands_on_master(experiment):
            return await bring_up_to_master(self._context, experiment)
        reason = f"merged by {experiment.author}'s own decision, measured as it stands"
        if experiment.val_bpb is not None and experiment.delta is not None:
            before, now = figure(experiment.val_bpb - experiment.delta), figure(experiment.val_bpb)
            reason += f": master goes from {before} to {now}"
        if experiment.state is State.SCORED:
            experiment = await self._context.store.move(experiment.id, State.CONFIRMING, reason)
        return await self.merge(experiment, reason, experiment.author)

    async def _stands_on_master(self, experiment: Experiment) -> bool:
        master = await self._context.store.master(experiment.line)
        return master is not None and experiment.parent == master.commit_id

    # -- promotion

    async def merge(self, experiment: Experiment, reason: str, actor: str, promoted_as: str = "") -> Experiment:
        """Merge a measured experiment into its master, as it was measured, and tell the store.

        Killed between the two, `follow_master` completes it at the next start.
        """
        context = self._context
        assert experiment.parent is not None and experiment.commit_id is not None
        message = await self._message(experiment, reason, actor, promoted_as)
        merged = await asyncio.to_thread(context.repository.merge, experiment.parent, experiment.commit_id, message)
        moved = await asyncio.to_thread(context.repository.advance, ref_of(experiment.line), merged, experiment.parent)
        if not moved:  # a person moved master at this very moment: the next look sees the new master
            await self.follow_master()
            return experiment
        promoted = await context.store.promote(experiment.id, merged, reason, actor=actor, promoted_as=promoted_as)
        if not experiment.line:
            await self.update_checkout()
        return promoted

    async def update_checkout(self) -> None:
        """Bring the lab's own checkout to the new master, when a person's edits allow it."""
        update = await asyncio.to_thread(self._context.repository.update_checkout)
        if not update.updated:
            await self._context.store.event("lab", "autolab", update.sentence)

    async def _message(self, experiment: Experiment, reason: str, actor: str, promoted_as: str) -> str:
        base = await baseline_experiment(self._context, experiment)
        assert base is not None

        async def scores(side: Experiment) -> list[float]:
            return scores_on(experiment.ground, await runs_at_head(self._context, side))

        lines = [
            f"Promote experiment {experiment.label}: {experiment.title}",
            "",
            reason[:1].upper() + reason[1:] + ".",
            "",
            f"val_bpb of this branch: {_listed(await scores(experiment))}",
            f"val_bpb of the master before (experiment {base.label}): {_listed(await scores(base))}",
            f"Source: {experiment.source}",
            *self._self_reported,
            *(["Unsandboxed: the runs had no sandbox around them."] if await self._unsandboxed(experiment) else []),
            "",
            f"Experiment: {experiment.id}",
            f"Parent: {experiment.parent}",
            f"Team: {experiment.team or 'none'}",
            f"Promoted-By: {actor}",
            *([f"Promoted-As: {promoted_as}"] if promoted_as else []),
        ]
        return "\n".join(lines) + "\n"

    @property
    def _self_reported(self) -> list[str]:
        target = self._context.settings.optimised()
        if not isinstance(target, ScriptTarget):
            return []
        sign = " Its sign is changed: less is better." if target.direction is Direction.MAXIMISE else ""
        return [f"Self-reported: the score is what the program printed.{sign}"]

    async def _unsandboxed(self, experiment: Experiment) -> bool:
        return unsandboxed(experiment, await self._context.store.runs_of(experiment.id))

    async def follow_master(self) -> None:
        """Bring the store to where the masters stand in git (orchestrator.measurement.masters)."""
        await follow_masters(self._context, self.update_checkout)


def _lost(experiment: Experiment, found: Standing) -> str:
    """Why an experiment is not merged; a measurement without a win says what that win is still worth."""
    without, delta = experiment.val_bpb, experiment.delta
    if experiment.reverses is None or delta is None or without is None:
        return found.decision.reason
    worth = f"{delta:+.4f} ± {found.error:.4f}"
    figures = f"master scores {without:.4f} without it, {without - delta:.4f} with it"
    return f"experiment {experiment.reverses} {WORTH} {worth}: {figures}"


def _listed(scores: list[float]) -> str:
    if not scores:
        return "not measured"
    mean = sum(scores) / len(scores)
    return f"{mean:.4f} ({', '.join(f'{score:.4f}' for score in scores)})"
