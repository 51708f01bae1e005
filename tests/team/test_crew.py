"""Who is at work: as many workers and reviewers as the slots need, and no patch in two reviewers' hands."""

from __future__ import annotations

import asyncio
from pathlib import Path

from orchestrator.context import Context
from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal
from orchestrator.team.crew import muster
from orchestrator.team.jobs import Job, JobBook, JobKind
from roles.playing import Playing
from tests.conftest import set_key
from tests.team.team_lab import call, in_lab, waiting


def test_three_workers_have_two_reviewers_and_each_reviews_another_patch(bare: Path) -> None:
    set_key(bare, "workers", "3")

    async def play() -> None:
        async with opened(Lab(bare)) as context:
            names = [member.name for member in muster(context)]
            assert names == [
                *("researcher", "planner", "worker-1", "worker-2", "worker-3"),
                *("reviewer", "reviewer-2", "reporter"),
            ]
            store, book = context.store, JobBook(context)
            for number in (1, 2):
                made = await store.add_experiment(Proposal(f"idea {number}", "h", "s"), author="a", team="offline")
                await store.move(made.id, State.QUEUED, "planned")
                await store.move(made.id, State.PATCHING, "a patch is made")
                await store.annotate(made.id, "patched", actor="worker-1", commit_id="a" * 40, role_model="m")
            jobs = [await book.take(name, "reviewer") for name in ("reviewer", "reviewer-2", "reviewer")]
            assert [job and job.experiment_id for job in jobs] == [1, 2, None]
            assert jobs[0] is not None
            book.put_back(jobs[0])
            again = await book.take("reviewer-2", "reviewer")
            assert again is not None and again.experiment_id == 1

    asyncio.run(play())


def test_what_the_repository_cannot_give_is_an_answer_and_not_the_end_of_the_job(bare: Path) -> None:
    async def play(context: Context) -> None:
        made = await waiting(context, "an idea whose commit is lost")
        await context.store.annotate(made.id, "patched", actor="a", commit_id="f" * 40, parent="e" * 40)
        job = Job(JobKind.RESEARCH, "propose", wanted=1)
        prepared = await JobBook(context).prepare(job, "researcher", Playing("m"), context.lab.worktrees / "r")
        answer = await call(prepared.tools, "read_diff", id=made.id)
        assert answer.startswith("refused: ") and "git diff failed" in answer

    in_lab(bare, play)
