"""Who is at work: as many workers and reviewers as the slots need, and no patch in two reviewers' hands."""

from __future__ import annotations

import asyncio
from pathlib import Path

from orchestrator.daemon import opened
from orchestrator.lab import Lab
from orchestrator.store.states import State
from orchestrator.store.writer import Proposal
from orchestrator.team.crew import muster
from orchestrator.team.jobs import JobBook
from tests.conftest import set_key


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
