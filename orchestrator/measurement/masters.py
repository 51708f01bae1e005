"""Where masters stand in git, and bringing the store there: the lab's, and that of a team which has its own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

from orchestrator.branches.naming import trailer
from orchestrator.branches.repository import MASTER
from orchestrator.context import Context
from orchestrator.store.records import SIMPLIFICATION, Master
from orchestrator.store.states import State


def ref_of(line: str) -> str:
    """The branch of a master: `line` is the team whose own is meant, "" the lab."""
    return f"refs/heads/team/{line}/master" if line else MASTER


def called(line: str) -> str:
    """What people call it: `master`, or `team/solo/master`."""
    return ref_of(line).removeprefix("refs/heads/")


async def follow_masters(context: Context, merged: Callable[[], Awaitable[None]]) -> None:
    """Bring the store to where every master stands in git: a merge cut off half-way, or a person's own commit.

    `merged` is called when the lab's own master had moved by a merge of ours.
    """
    for line in context.lines:
        await _follow(context, line, merged)


async def _follow(context: Context, line: str, merged: Callable[[], Awaitable[None]]) -> None:
    store, repository = context.store, context.repository
    known = await store.master(line)
    head = await asyncio.to_thread(repository.seen_head, ref_of(line))
    if head is None and line:
        await _begin(context, line, known)
        return
    if head is None:
        head = await asyncio.to_thread(repository.head, ref_of(line))  # and git says what is the matter
    if known is not None and head == known.commit_id:
        return
    if known is None and not line:
        await store.add_start(head, "start", "the starting point of this lab")
    elif known is not None and await _complete_merge(context, line, head, known):
        if not line:
            await merged()
    else:
        await _take_over(context, line, head, known)


async def _begin(context: Context, line: str, known: Master | None) -> None:
    """A team's own master begins where the lab's stands; one whose branch was deleted, where it stood."""
    store = context.store
    start = known or await store.master()
    assert start is not None  # the lab's is followed first
    await asyncio.to_thread(context.repository.advance, ref_of(line), start.commit_id, "0" * len(start.commit_id))
    if known is None:
        reason = f"{called(line)} begins where master stands, at {start.commit_id[:9]}"
        await store.adopt_master(start.commit_id, start.experiment_id, reason, actor="autolab", line=line)


async def _take_over(context: Context, line: str, head: str, known: Master | None) -> None:
    """A person moved a master: its commit is known by its runs, or by its target, or is to be measured."""
    store = context.store
    base = await store.baseline_experiment(head)
    moved = f"a person moved {called(line)} to {head[:9]}"
    if base is not None and line:
        await store.adopt_master(head, base.id, f"{moved}, which is measured already", line=line)
        return
    if known is None:
        known = await store.master()
        assert known is not None
    if await context.target_at(head) == await context.target_at(known.commit_id):
        reason = f"{moved}; the target is as it was measured"
        await store.adopt_master(head, known.experiment_id, reason, line=line)
    else:
        reason = f"{moved} and changed the target: it is measured as a new baseline"
        await store.add_start(head, f"{called(line)} at {head[:9]}", reason, "a person", line=line)


async def _complete_merge(context: Context, line: str, head: str, known: Master) -> bool:
    """Whether `head` is a merge of ours that the store was not told of: then it is told."""
    message = await asyncio.to_thread(context.repository.message, head)
    found = re.search(r"^Experiment: (\d+)$", message, re.MULTILINE)
    parents = await asyncio.to_thread(context.repository.parents, head)
    if found is None or len(parents) != 2 or parents[0] != known.commit_id:
        return False
    experiment = await context.store.experiment(int(found.group(1)))
    if experiment is None or experiment.commit_id != parents[1] or experiment.state is State.PROMOTED:
        return False
    if experiment.line != line:
        return False
    simplifies = trailer(message, "Promoted-As") == SIMPLIFICATION
    await context.store.promote(
        experiment.id,
        head,
        f"{_reason_of(message)}; merged just before the daemon was stopped",
        actor=trailer(message, "Promoted-By") or "autolab",
        promoted_as=SIMPLIFICATION if simplifies else "",
    )
    return True


def _reason_of(message: str) -> str:
    """Why a merge of ours was made: the paragraph between its subject and the scores."""
    paragraphs = message.strip().split("\n\n")
    if len(paragraphs) < 3:
        return "promoted"
    reason = " ".join(paragraphs[1].split()).removesuffix(".")
    return reason[:1].lower() + reason[1:]
