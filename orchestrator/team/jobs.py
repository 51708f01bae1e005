"""Which job a role has next, what it needs for it, and what follows from how it ended."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from orchestrator.context import Context
from orchestrator.patches.combining import put_together
from orchestrator.patches.repairing import put_in_place, restore, to_repair
from orchestrator.patches.returning import RETRIES, UNFINISHED, give_up, returned, times_unfinished
from orchestrator.store.records import Experiment
from orchestrator.store.states import State
from orchestrator.team import briefs
from orchestrator.team.belonging import notes_of, of_team
from orchestrator.team.refusing import refusing
from orchestrator.team.solo import Rests, Solo
from orchestrator.team.toolbox import Toolbox
from orchestrator.team_settings import Team
from roles.agent import Finished, GaveUp
from roles.playing import Playing
from roles.tools import Tool


class JobKind(StrEnum):
    RESEARCH = "research"
    PLAN = "plan"
    PATCH = "patch"
    REVIEW = "review"
    WAVE = "wave"
    REPORT = "report"
    SOLO = "solo"


@dataclass(frozen=True, slots=True)
class Job:
    kind: JobKind
    title: str
    experiment_id: int | None = None
    wanted: int = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    brief: str
    tools: Sequence[Tool]


async def _never() -> str | None:
    """The team may always go on."""
    return None


def slots_of(context: Context) -> int:
    """How many slots a team's share comes to, at least one."""
    return max(1, math.ceil(len(context.executor.slots()) / len(context.settings.teams_at_work)))


def workers_of(context: Context, team: Team) -> int:
    """How many workers a team has: what its settings say, but no more than there ever are patches to make at once."""
    slots = slots_of(context)
    return max(1, math.ceil(slots / 2)) if team.workers == "auto" else min(team.workers, slots + team.patch_ahead)


class JobBook:
    """Derives one team's jobs from the store; remembers only which are in somebody's hands."""

    def __init__(self, context: Context, rests: Rests = _never) -> None:
        """`context` is in the team's hands; `rests` says why it begins nothing new, if it does not."""
        self._context = context
        self._rests = rests
        self._taken: set[tuple[JobKind, int | None]] = set()
        self._solo: dict[str, Solo] = {}  # the desk of each conversation under way, by agent

    async def take(self, agent: str, role: str) -> Job | None:
        """The next job of a role, taken for this agent; None when there is none."""
        match role:
            case "researcher":
                job = await self._research()
            case "planner":
                job = await self._plan()
            case "worker":
                return await self._patch(agent)
            case "reviewer":
                job = await self._review() or await self._wave()
            case "reporter":
                job = await self._report()
            case "solo":
                job = await self._everything()
            case _:
                job = None
        if job is not None:
            self._taken.add((job.kind, job.experiment_id))
        return job

    async def let_go(self, agent: str) -> None:
        """An agent's job was taken away: what its conversation had begun goes back into the queue."""
        if (solo := self._solo.pop(agent, None)) is not None:
            await solo.let_go()

    def put_back(self, job: Job) -> None:
        self._taken.discard((job.kind, job.experiment_id))

    # -- what is there to do

    @property
    def _ahead(self) -> int:
        """How many patches are kept ready or in the making, so that a free slot starts at once."""
        return slots_of(self._context) + self._context.team.patch_ahead

    async def _research(self) -> Job | None:
        waiting = len(await of_team(self._context, [State.PROPOSED, State.QUEUED]))
        if waiting >= self._ahead:
            return None
        wanted = self._ahead + 2 - waiting
        return Job(JobKind.RESEARCH, f"propose {wanted} experiments", wanted=wanted)

    async def _plan(self) -> Job | None:
        proposed = await of_team(self._context, [State.PROPOSED])
        if proposed:
            return Job(JobKind.PLAN, f"plan {len(proposed)} proposed experiments")
        newest = await self._context.store.notes("findings", limit=1, team=notes_of(self._context))
        if newest and str(newest[0].id) != await self._fact("findings_planned"):
            return Job(JobKind.PLAN, "order the queue by the reviewer's findings")
        return None

    async def _patch(self, agent: str) -> Job | None:
        store = self._context.store
        if len(await of_team(self._context, [State.READY, State.PATCHING])) >= self._ahead:
            return None
        for experiment in await of_team(self._context, [State.QUEUED]):
            if (JobKind.PATCH, experiment.id) not in self._taken:
                self._taken.add((JobKind.PATCH, experiment.id))
                await store.move(experiment.id, State.PATCHING, f"{agent} makes the patch", actor=agent)
                return Job(JobKind.PATCH, f"patch {experiment.id}: {experiment.title}", experiment.id)
        return None

    async def _review(self) -> Job | None:
        for experiment in await of_team(self._context, [State.PATCHING]):
            # A patch without a role model is a person's own, which nobody reviews.
            held = not experiment.role_model or any(
                (kind, experiment.id) in self._taken for kind in (JobKind.PATCH, JobKind.REVIEW)
            )
            if experiment.commit_id is None or held:
                continue
            self._taken.add((JobKind.REVIEW, experiment.id))
            now = await self._context.store.experiment(experiment.id)
            if now is not None and now.state is State.PATCHING:
                return Job(JobKind.REVIEW, f"review {experiment.id}: {experiment.title}", experiment.id)
            self._taken.discard((JobKind.REVIEW, experiment.id))  # another reviewer has just ended with it
        return None

    async def _wave(self) -> Job | None:
        outcomes = await self._outcomes()
        last = int(await self._fact("outcomes_reviewed") or 0)
        if outcomes - last < self._context.team.wave or (JobKind.WAVE, None) in self._taken:
            return None
        return Job(JobKind.WAVE, f"review the wave of {outcomes - last} outcomes", wanted=outcomes)

    async def _report(self) -> Job | None:
        outcomes = await self._outcomes()
        last = int(await self._fact("outcomes_reported") or 0)
        if outcomes - last < self._context.team.wave:
            return None
        return Job(JobKind.REPORT, f"report on {outcomes} outcomes", wanted=outcomes)

    async def _everything(self) -> Job | None:
        """A conversation of several experiments; one that needs its patch again comes first."""
        wanted = self._context.team.wave
        for experiment in await of_team(self._context, [State.PROPOSED, State.QUEUED]):
            if experiment.state is State.PROPOSED:  # left by a team that had a planner
                await self._context.store.move(experiment.id, State.QUEUED, "queued as it came: nobody plans here")
            title = f"patch {experiment.id}: {experiment.title}"
            return Job(JobKind.SOLO, title, experiment.id, wanted)
        return Job(JobKind.SOLO, f"make {wanted} experiments", wanted=wanted)

    async def _outcomes(self) -> int:
        team = self._context.team
        return await self._context.store.count_outcomes(None if team.alone else team.name)

    async def _fact(self, key: str) -> str:
        return await self._context.store.meta(self._context.team.key(key))

    async def _set_fact(self, key: str, value: str) -> None:
        await self._context.store.set_meta(self._context.team.key(key), value)

    # -- what it needs

    async def prepare(self, job: Job, agent: str, playing: Playing, worktree: Path) -> Prepared:
        """The brief and the tools of a job; a patch gets a worktree at the head of master."""
        made = await self._prepared(job, agent, playing, worktree)
        return replace(made, tools=[refusing(tool) for tool in made.tools])

    async def _prepared(self, job: Job, agent: str, playing: Playing, worktree: Path) -> Prepared:
        context = self._context
        box = Toolbox(context, agent, playing)
        match job.kind:
            case JobKind.RESEARCH:
                return Prepared(await briefs.research_brief(context, agent, job.wanted), box.researching(job.wanted))
            case JobKind.PLAN:
                waiting = await of_team(context, [State.PROPOSED, State.QUEUED, State.PATCHING, State.READY])
                proposed = [one.id for one in waiting if one.state is State.PROPOSED]
                brief = await briefs.planning_brief(context, agent)
                return Prepared(brief, box.planning(proposed, [one.id for one in waiting]))
            case JobKind.PATCH:
                experiment = await self._experiment(job)
                master = await context.master()
                await asyncio.to_thread(context.repository.checkout_commit, worktree, master.commit_id)
                crashed = await to_repair(context, experiment)
                in_place = crashed is not None and await put_in_place(context, crashed, worktree)
                box = Toolbox(context, agent, playing, worktree)
                came_back = await returned(context, experiment) if crashed is None else None
                combined = await put_together(context, experiment, worktree) if crashed is None else ""
                brief = await briefs.patching_brief(context, agent, experiment, crashed, in_place, came_back, combined)
                return Prepared(brief, box.patching(experiment, crashed is not None))
            case JobKind.REVIEW:
                experiment = await self._experiment(job)
                return Prepared(await briefs.review_brief(context, agent, experiment), box.reviewing())
            case JobKind.WAVE:
                return Prepared(await briefs.wave_brief(context, agent), box.handing_over())
            case JobKind.REPORT:
                return Prepared(await briefs.report_brief(context, agent), box.reporting())
            case JobKind.SOLO:
                return await self._prepare_everything(job, agent, playing, worktree)

    async def _prepare_everything(self, job: Job, agent: str, playing: Playing, worktree: Path) -> Prepared:
        at_once = slots_of(self._context)
        solo = Solo(self._context, agent, playing, worktree, at_once=at_once, rests=self._rests)
        self._solo[agent] = solo
        experiment, opened = None, ""
        if job.experiment_id is None:
            await solo.fresh_tree()
        else:
            experiment = await self._experiment(job)
            opened = await solo.take_back(experiment)
        brief = await briefs.solo_brief(self._context, agent, job.wanted, experiment, opened)
        return Prepared(brief, solo.tools())

    async def _experiment(self, job: Job) -> Experiment:
        assert job.experiment_id is not None
        experiment = await self._context.store.experiment(job.experiment_id)
        assert experiment is not None
        return experiment

    # -- what follows

    async def conclude(self, job: Job, agent: str, came: Finished | GaveUp) -> None:
        """Draw the consequence of a job's end; an agent that gave up never blocks the line behind it."""
        match job.kind:
            case JobKind.RESEARCH:
                return
            case JobKind.PLAN:
                await self._conclude_plan(agent, came)
            case JobKind.PATCH:
                await self._conclude_patch(await self._experiment(job), agent, came)
            case JobKind.REVIEW:
                await self._conclude_review(await self._experiment(job), agent, came)
            case JobKind.WAVE:
                await self._set_fact("outcomes_reviewed", str(job.wanted))
            case JobKind.REPORT:
                await self._set_fact("outcomes_reported", str(job.wanted))
            case JobKind.SOLO:
                if (solo := self._solo.pop(agent, None)) is not None:
                    await solo.give_up(came.reason if isinstance(came, GaveUp) else "the conversation ended before it")

    async def _conclude_plan(self, agent: str, came: Finished | GaveUp) -> None:
        store = self._context.store
        newest = await store.notes("findings", limit=1, team=notes_of(self._context))
        if newest:
            await self._set_fact("findings_planned", str(newest[0].id))
        if isinstance(came, GaveUp):
            for experiment in await of_team(self._context, [State.PROPOSED]):
                await store.move(experiment.id, State.QUEUED, f"queued as it came: the planner gave up ({came.reason})")

    async def _conclude_patch(self, experiment: Experiment, agent: str, came: Finished | GaveUp) -> None:
        if experiment.state is not State.PATCHING or experiment.commit_id is not None:
            return  # submitted: the reviewer has it now (or a person dropped it)
        if isinstance(came, GaveUp) and await self._retried(experiment, agent, came):
            return
        why = came.reason if isinstance(came, GaveUp) else str(came.arguments.get("reason") or "no reason given")
        crashed = await to_repair(self._context, experiment)
        if crashed is not None:
            await restore(self._context, experiment, crashed, why, agent)
        else:
            await give_up(self._context, experiment, why, agent)

    async def _retried(self, experiment: Experiment, agent: str, came: GaveUp) -> bool:
        """A job that came to no end goes back into the queue, a bounded number of times; one whose endpoint failed
        waits there until the endpoint is back, since nothing was learnt of the experiment."""
        if not came.endpoint:
            times = await times_unfinished(self._context, experiment)
            if times >= RETRIES:
                return False
            reason = f"{UNFINISHED}, {times + 1} of {RETRIES}: {came.reason}"
        else:
            reason = f"waits for its model's endpoint: {came.reason}"
        await self._context.store.move(experiment.id, State.QUEUED, reason, actor=agent)
        return True

    async def _conclude_review(self, experiment: Experiment, agent: str, came: Finished | GaveUp) -> None:
        if experiment.state is not State.PATCHING:
            return
        store = self._context.store
        if isinstance(came, GaveUp):
            reason = f"ready: the reviewer gave no verdict ({came.reason}), the guard had let it pass"
            await store.move(experiment.id, State.READY, reason)
            return
        reason = str(came.arguments.get("reason") or "no reason given")
        if came.tool == "approve":
            await store.move(experiment.id, State.READY, f"approved: {reason}", actor=agent)
        else:
            await store.move(experiment.id, State.REJECTED, f"rejected: {reason}", actor=agent)
