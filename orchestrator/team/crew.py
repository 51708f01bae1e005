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
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.settings import ROLES
from orchestrator.store.records import utc_now
from orchestrator.store.states import State
from orchestrator.team.budget import Budget
from orchestrator.team.jobs import Job, JobBook
from orchestrator.team.journal import AgentJournal
from orchestrator.team.models import models_of_role
from orchestrator.team.pausing import may_go_on
from roles.agent import Finished, GaveUp, Limits, converse
from roles.chat import ChatModel
from roles.errors import RoleFileError
from roles.role_file import RoleFile, load, shipped

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 600.0
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Member:
    """One agent of the team."""

    name: str
    role: RoleFile
    models: Sequence[ChatModel]  # the first is asked first
    warnings: tuple[str, ...] = ()


def load_role(context: Context, role: str) -> RoleFile:
    """The lab's own copy of a role file. Raises LabError when it is broken."""
    path = context.lab.roles / f"{role}.md"
    try:
        return load(path if path.is_file() else shipped(role))
    except RoleFileError as error:
        raise LabError(error.sentence, error.remedy) from error


def muster(context: Context) -> list[Member]:
    """The team of this lab: one agent a role, and as many workers as the settings say."""
    settings = context.settings
    slots = len(context.executor.slots())
    workers = max(1, math.ceil(slots / 2)) if settings.team.workers == "auto" else settings.team.workers
    names = {"worker": [f"worker-{n}" for n in range(1, workers + 1)]}
    members = []
    for role in ROLES:
        file = load_role(context, role)
        models, warning = models_of_role(settings, file)
        warnings = (*file.warnings, *([warning] if warning else []))
        members += [Member(name, file, models, warnings) for name in names.get(role, [role])]
    return members


class Crew:
    """Runs every agent of the team until it is cancelled."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._members = muster(context)
        self._book = JobBook(context)
        self._budget = Budget(context)
        self._busy: dict[str, tuple[Job, asyncio.Task[None]]] = {}
        self._failures: dict[str, int] = {}
        self._alive: set[str] = set()  # those at work, and those who finish their last job
        self.closed = False

    @property
    def out_of_ideas(self) -> bool:
        """Whether the researcher has failed again and again, so that nothing new will come by itself."""
        return self._failures.get("researcher", 0) >= 3

    async def run(self) -> None:
        store, team = self._context.store, self._context.settings.team.name
        await store.set_agents([(m.name, m.role.name, team, m.models[0].name) for m in self._members])
        for member in self._members:
            for warning in member.warnings:
                await store.event("agent", member.name, warning)
        await self._return_orphans()
        async with asyncio.TaskGroup() as group:
            for member in self._members:
                self._begin(member, group)
            group.create_task(self._restaff(group), name="staff")

    def _begin(self, member: Member, group: asyncio.TaskGroup) -> None:
        self._alive.add(member.name)
        group.create_task(self._live(member), name=member.name)

    async def _restaff(self, group: asyncio.TaskGroup) -> None:
        """Workers come and go with the setting `workers`; who leaves finishes the job at hand first."""
        store, settings = self._context.store, self._context.settings
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self._context.settings is settings:
                continue
            try:
                self._members = muster(self._context)
                for member in [one for one in self._members if one.name not in self._alive]:
                    await store.add_agent(member.name, member.role.name, settings.team.name, member.models[0].name)
                    self._begin(member, group)
            except LabError:  # the store, or a role file that somebody is writing: the next look tries again
                continue
            settings = self._context.settings

    async def _return_orphans(self) -> None:
        """What an agent held when the daemon was stopped goes back into the queue."""
        for experiment in await self._context.store.in_states([State.PATCHING]):
            if experiment.commit_id is None:
                await self._context.store.move(
                    experiment.id, State.QUEUED, "the daemon was stopped while this was being patched"
                )
            elif not experiment.role_model:
                await self._context.store.move(experiment.id, State.READY, "a person's own patch")

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
        resting = self.closed or await self._budget.spent() is not None
        job = None if resting else await self._book.take(member.name, member.role.name)
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
                await self._context.store.set_agent(member.name, "idle", f"taken away: {job.title}")
            finally:
                self._busy.pop(member.name, None)
                self._book.put_back(job)

    async def cancel(self, experiment_id: int) -> bool:
        """Take an experiment out of the hands of the agent that works on it; true when one did."""
        for job, task in list(self._busy.values()):
            if job.experiment_id == experiment_id:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                return True
        return False

    async def _work(self, member: Member, job: Job) -> None:
        context, name = self._context, member.name
        journal = AgentJournal(context.lab.agent_log(name), context.store, name, member.role.name)
        journal.begin(job.title, job.experiment_id)
        await context.store.set_agent(name, "thinking", job.title, job.experiment_id)
        worktree = context.lab.worktrees / name
        try:
            prepared = await self._book.prepare(job, name, member.models[0].name, worktree)
            allowed = [tool for tool in prepared.tools if member.role.tools.get(tool.spec.name, True)]
            came = await converse(
                member.models,
                member.role.prompt,
                prepared.brief,
                allowed,
                journal,
                Limits(calls=member.role.steps) if member.role.steps else Limits(),
                on_call=journal.record,
                turn=lambda: may_go_on(context.store, name),
            )
            await journal.settle()
            await self._book.conclude(job, name, came)
        except Exception as error:
            # Whatever an agent or its model does must not stop the lab: it is told, and the job goes back.
            came = GaveUp(f"the job broke off: {error}", 0, 0)
            await journal.settle()
            await self._book.conclude(job, name, came)
        finally:
            await journal.settle()
            if worktree.exists():
                await asyncio.to_thread(context.repository.remove_worktree, worktree)
                await asyncio.to_thread(shutil.rmtree, worktree, True)
        match came:
            case Finished():
                self._failures[name] = 0
                await context.store.set_agent(name, "idle", f"last: {job.title}", None, done=1)
            case GaveUp(reason=reason):
                journal.note(f"gave up: {reason}")
                await self._rest(name, reason)

    async def _rest(self, name: str, reason: str) -> None:
        self._failures[name] = self._failures.get(name, 0) + 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (self._failures[name] - 1))
        await self._context.store.event("agent", name, f"gave up a job: {reason}")
        await self._context.store.set_agent(name, "waiting", f"next try in {pause:.0f} s: {reason}", None, failed=1)
        await asyncio.sleep(pause)
