"""The agents: who they are, and the loop in which each takes the next job of its role.

A job that fails costs nothing but time: the experiment goes back or on, the reason is written down, and the agent tries
again after a pause that grows while its model keeps failing.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.store.records import Experiment, utc_now
from orchestrator.store.states import State
from orchestrator.team.belonging import belongs, settle_lines
from orchestrator.team.budget import Budget
from orchestrator.team.jobs import Job, JobBook, JobKind, workers_of
from orchestrator.team.journal import AgentJournal
from orchestrator.team.models import limits_of, models_of_role
from orchestrator.team.pausing import may_go_on
from orchestrator.team.role_files import load_role
from orchestrator.team_settings import SOLO, Team, TeamKind
from orchestrator.views import SPENT, resting
from roles.agent import Finished, GaveUp, converse
from roles.chat import ChatModel
from roles.offline import NAME as OFFLINE
from roles.playing import Playing
from roles.role_file import RoleFile

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 600.0
LOOK_SECONDS = 0.5


NO_FURTHER_IDEA = (
    "the built-in model has no further idea for this program: add patches of your own, or name a language model in"
    " autolab.toml"
)


@dataclass(frozen=True, slots=True)
class Member:
    """One agent of a team."""

    name: str
    role: RoleFile
    models: Sequence[ChatModel]  # the first is asked first
    team: Team
    warnings: tuple[str, ...] = ()


def muster(context: Context) -> list[Member]:
    """Everybody at work: of each team one agent a role, as many workers as its settings say, and two reviewers for
    three workers: one alone would hold up the patches of more slots than three."""
    members = []
    for team in context.settings.teams_at_work:
        workers = workers_of(context, team)
        several = {"worker": workers, "reviewer": math.ceil(2 * workers / 3)}
        for role in team.kind.roles:
            file = load_role(context.lab, role)
            models, warning = models_of_role(context.settings, team, file)
            warnings = (*file.warnings, *([warning] if warning else []))
            words = [f"{role}-{n}" for n in range(1, several.get(role, 1) + 1)]
            if role != "worker":
                words[0] = role  # the first keeps its name when others come
            members += [Member(team.agent(word), file, models, team, warnings) for word in words]
    return members


class _Office:
    """What one team has for itself: the lab in its hands, its jobs, its budget."""

    def __init__(self, context: Context, closed: Callable[[], bool]) -> None:
        self.context = context
        self._closed = closed
        self._budget = Budget(context)
        self.book = JobBook(context, self.rests)

    async def spent(self) -> str | None:
        """Which budget of the team is spent, in a sentence; None while none is."""
        return await self._budget.spent()

    async def rests(self) -> str | None:
        """Why the team begins nothing new, in a sentence; None while it may."""
        spent = await self.spent()
        return "the lab comes to its end" if self._closed() else spent


class Crew:
    """Runs every agent of every team until it is cancelled."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._members = muster(context)
        self._offices = {
            team.name: _Office(context.of(team), lambda: self.closed) for team in context.settings.teams_at_work
        }
        self._busy: dict[str, tuple[Job, asyncio.Task[None]]] = {}
        self._failures: dict[str, int] = {}
        self._dry: set[str] = set()  # researchers by rules that have no further idea
        self._alive: set[str] = set()  # those at work, and those who finish their last job
        self.closed = False

    @property
    def out_of_ideas(self) -> bool:
        """Whether whoever brings ideas has failed again and again in every team: nothing new will come by itself."""
        bringing = [member.name for member in self._members if member.role.name in ("researcher", SOLO)]
        return all(self._failures.get(name, 0) >= 3 for name in bringing)

    @property
    def dry(self) -> bool:
        """Whether whoever brings ideas has none left in any team, and nobody else is at a job."""
        bringing = [member.name for member in self._members if member.role.name in ("researcher", SOLO)]
        return all(name in self._dry for name in (*bringing, *self._busy))

    async def at_rest(self) -> str | None:
        """Why nothing new is begun in any team, their budgets being spent; None while one may go on, or finishes a
        job."""
        if self._busy:
            return None
        told = []
        for name, office in self._offices.items():
            reason = await office.spent()
            if reason is None:
                return None
            told.append(reason if len(self._offices) == 1 else f"{name}: {reason}")
        return f"{'the team rests' if len(told) == 1 else 'every team rests'}: {'; '.join(told)}"

    async def run(self) -> None:
        store = self._context.store
        keys = [team.key(SPENT) for team in self._context.settings.teams_at_work]
        for name in await resting(store):
            key = f"{SPENT}:{name}" if name else SPENT
            if key not in keys:  # of a team that is no longer at work
                await store.set_meta(key, "")
        await store.set_agents([(m.name, m.role.name, m.team.name, m.models[0].name) for m in self._members])
        for member in self._members:
            for warning in member.warnings:
                await store.event("agent", member.name, warning)
        await settle_lines(self._context)
        await self.return_orphans()
        async with asyncio.TaskGroup() as group:
            for member in self._members:
                self._begin(member, group)
            group.create_task(self._restaff(group), name="staff")

    def _begin(self, member: Member, group: asyncio.TaskGroup) -> None:
        self._alive.add(member.name)
        group.create_task(self._live(member), name=member.name)

    async def _restaff(self, group: asyncio.TaskGroup) -> None:
        """Workers and reviewers come and go with the setting `workers`; who leaves finishes the job at hand first."""
        store, settings = self._context.store, self._context.settings
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._context.settings is settings:
                continue
            try:
                self._members = muster(self._context)
                for member in [one for one in self._members if one.name not in self._alive]:
                    await store.add_agent(member.name, member.role.name, member.team.name, member.models[0].name)
                    self._begin(member, group)
            except LabError:  # the store, or a role file that somebody is writing: the next look tries again
                continue
            settings = self._context.settings

    async def return_orphans(self) -> None:
        """What an agent held when the lab was stopped, or killed, goes back into the queue. Raises LabError."""
        for experiment in await self._context.store.in_states([State.PATCHING]):
            if experiment.commit_id is None:
                await self._context.store.move(
                    experiment.id, State.QUEUED, "the lab was stopped while this was being patched"
                )
            elif not experiment.role_model:
                await self._context.store.move(
                    experiment.id, State.READY, "ready: nobody reviews what a person ordered"
                )
            elif self._nobody_reviews(experiment):
                await self._context.store.move(experiment.id, State.READY, "ready: nobody reviews in its team")

    def _nobody_reviews(self, experiment: Experiment) -> bool:
        """Whether whoever takes it is a team of one."""
        teams = [team for team in self._context.settings.teams_at_work if belongs(self._context.of(team), experiment)]
        return all(team.kind is TeamKind.SOLO for team in teams)

    async def _live(self, member: Member) -> None:
        while any(one.name == member.name for one in self._members):
            try:
                await self._next_job(member)
            except LabError as error:  # the store or the repository is in trouble: the engine tells, the agent waits
                print(f"{utc_now()} {member.name}: {error}", file=sys.stderr, flush=True)
                await asyncio.sleep(FIRST_PAUSE)
        with contextlib.suppress(LabError):  # then it stands in the list until the next start
            await self._context.store.remove_agent(member.name)
        self._alive.discard(member.name)

    async def _next_job(self, member: Member) -> None:
        """Do the next job of the member's role, or look again in a moment."""
        await may_go_on(self._context.store, member.name)
        office = self._offices[member.team.name]
        resting = await office.rests() is not None
        job = None if resting else await office.book.take(member.name, member.role.name)
        if job is None:
            await asyncio.sleep(LOOK_SECONDS)
        else:
            task = asyncio.create_task(self._work(member, job))
            self._busy[member.name] = (job, task)
            try:
                await task
            except asyncio.CancelledError:
                if (current := asyncio.current_task()) and current.cancelling():
                    task.cancel()
                    await asyncio.gather(task, return_exceptions=True)
                    raise
                await office.book.let_go(member.name)
                await self._context.store.set_agent(member.name, "idle", f"taken away: {job.title}", begins=True)
            finally:
                self._busy.pop(member.name, None)
                office.book.put_back(job)

    async def cancel(self, experiment_id: int) -> bool:
        """Take an experiment out of the hands of the agent that works on it; true when one did."""
        for job, task in list(self._busy.values()):
            if job.experiment_id == experiment_id:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                return True
        return False

    async def _work(self, member: Member, job: Job) -> None:
        office, name = self._offices[member.team.name], member.name
        context, book = office.context, office.book
        journal = AgentJournal(context.lab.agent_log(name), context.store, name, member.role.name, member.team.name)
        journal.begin(job.title, job.experiment_id)
        await context.store.set_agent(name, "thinking", job.title, job.experiment_id, begins=True)
        worktree = context.lab.worktrees / name
        try:
            playing = Playing(member.models[0].name)
            prepared = await book.prepare(job, name, playing, worktree)
            allowed = [tool for tool in prepared.tools if member.role.tools.get(tool.spec.name, True)]
            came = await converse(
                member.models,
                member.role.prompt,
                prepared.brief,
                allowed,
                journal,
                limits_of(member.team, member.role),
                on_call=journal.record,
                turn=lambda: may_go_on(context.store, name),
                playing=playing,
            )
            await journal.settle()
            await book.conclude(job, name, came)
        except Exception as error:
            # Whatever an agent or its model does must not stop the lab: it is told, and the job goes back.
            came = GaveUp(f"the job broke off: {error}", 0, 0)
            await journal.settle()
            await book.conclude(job, name, came)
        finally:
            await journal.settle()
            if worktree.exists():
                await asyncio.to_thread(context.repository.remove_worktree, worktree)
                await asyncio.to_thread(shutil.rmtree, worktree, True)
        match came:
            case Finished():
                self._failures[name] = 0
                await context.store.set_agent(name, "idle", f"last: {job.title}", None, begins=True, done=1)
                self._dry.discard(name)
            case GaveUp() if job.kind is JobKind.RESEARCH and member.models[0].name == OFFLINE:
                await self._rest(name, NO_FURTHER_IDEA, dry=True)
            case GaveUp(reason=reason):
                journal.note(f"gave up: {reason}")
                await self._rest(name, reason)

    async def _rest(self, name: str, reason: str, dry: bool = False) -> None:
        """`dry`: it has done its job as far as it can, and is asked again in case that master has changed."""
        self._failures[name] = self._failures.get(name, 0) + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures[name] - 1))
        if not dry:
            await self._context.store.event("agent", name, f"gave up a job: {reason}")
        elif name not in self._dry:
            self._dry.add(name)
            await self._context.store.event("agent", name, reason)
        told = f"next try in {pause:.0f} s: {reason}"
        await self._context.store.set_agent(name, "waiting", told, None, begins=True, failed=int(not dry))
        await asyncio.sleep(pause)
