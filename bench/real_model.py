"""A real model plays each role for a hundred turns: does the harness hold, and does the model hold the role?

    python bench/real_model.py --base-url URL --model NAME [--turns 100] [--context N] [--roles ROLE ...]

Any server that speaks the OpenAI chat protocol will do; run it by hand, it asks for hundreds of replies. For each role
a lab in the middle of its work is made (nothing trains), and the model gets the role's jobs one after the other, with
the role's own prompt, brief and tools, as in a lab. A job is never cut: the last one may go beyond the turns.

What is seen is whether jobs come to their end, not whether the ideas and patches are worth anything.

With --keep DIRECTORY the labs and `jobs.jsonl` (each reply with what became of it) stay there, and a run that was
interrupted goes on where it stood. Exit status 1 says that the harness crashed or hung.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from real_figures import (  # noqa: E402
    CRASHED,
    DECLINED,
    FINISHED,
    GAVE_UP,
    STUCK,
    JobDone,
    Turn,
    append,
    read,
    summed,
    table,
)
from working_lab import lay_out, working_lab  # noqa: E402

from orchestrator.context import Context  # noqa: E402
from orchestrator.store.states import State  # noqa: E402
from orchestrator.team.jobs import Job, JobBook  # noqa: E402
from orchestrator.team.journal import AgentJournal  # noqa: E402
from orchestrator.team.role_files import load_role  # noqa: E402
from orchestrator.team_settings import ROLES  # noqa: E402
from roles.agent import Finished, GaveUp, Limits, converse  # noqa: E402
from roles.openai_model import OpenAIModel  # noqa: E402
from roles.playing import Playing  # noqa: E402
from roles.record import CallRecord, Outcome, Trouble  # noqa: E402
from roles.role_file import RoleFile  # noqa: E402
from roles.tools import Answer, Tool  # noqa: E402

TOOLS_SECONDS = 120.0
"""What the tools of one reply may take; a guard's probe takes seconds."""


@dataclass(slots=True)
class Watched:
    """A job under way."""

    turns: list[Turn] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)
    heard: float = field(default_factory=time.monotonic)  # when the last reply ended

    def take(self, record: CallRecord) -> None:
        """A call of the model has ended."""
        self.heard = time.monotonic()
        if record.outcome is Outcome.CUT:  # a part of the turn that follows
            return
        self.turns.append(
            Turn(
                record.reply,
                [[call.name, call.arguments] for call in record.tool_calls],
                sum(call.id.startswith("text_") for call in record.tool_calls),
                str(record.outcome),
                [str(trouble) for trouble in record.troubles],
                record.tokens_in,
                record.tokens_out,
                record.seconds,
                record.finish_reason,
            )
        )

    def counted(self, tool: Tool) -> Tool:
        """The tool, with the calls counted that it carries out."""

        async def answer(arguments: dict[str, Any]) -> Answer:
            told = await tool.handler(arguments)
            self.accepted[tool.name] += 1
            return told

        return replace(tool, handler=answer)


async def play(
    context: Context, book: JobBook, job: Job, role: RoleFile, model: OpenAIModel, patience: float
) -> JobDone:
    """One job, held as the crew holds it; what the harness does wrong is an end as well."""
    name = "worker-1" if role.name == "worker" else role.name
    worktree = context.lab.worktrees / name
    journal, watched, fresh = AgentJournal(context.lab.agent_log(name), context.store, name, role.name), Watched(), 0
    journal.begin(job.title, job.experiment_id)
    begun = time.monotonic()

    def heard(record: CallRecord) -> None:
        journal.record(record)
        watched.take(record)

    try:
        prepared = await book.prepare(job, name, Playing(model.name), worktree)
        tools = [watched.counted(tool) for tool in prepared.tools if role.tools.get(tool.name, True)]
        limits = Limits(calls=role.steps) if role.steps else Limits()
        held = asyncio.create_task(converse(model, role.prompt, prepared.brief, tools, journal, limits, on_call=heard))
        came = await within_bounds(held, watched, limits, patience)
        await journal.settle()
        if came is None:
            end, reason = STUCK, f"the job went on after {len(watched.turns)} replies"
            await book.conclude(job, name, GaveUp(reason, 0, 0))
        else:
            await book.conclude(job, name, came)
            fresh = came.troubles.get(Trouble.FRESH_CONTEXT, 0)
            end, reason = ended(came)
            book.put_back(job)
            if end == FINISHED and await book.take(name, role.name) == job:
                end, reason = STUCK, "the very same job comes again, though it was finished"
        if await in_hands(context, job):
            end, reason = STUCK, "the experiment stays in the agent's hands"
    except Exception as error:
        traceback.print_exc()
        end, reason = CRASHED, f"{type(error).__name__}: {error}"
    finally:
        await journal.settle()
        book.put_back(job)
        if worktree.exists():
            await asyncio.to_thread(context.repository.remove_worktree, worktree)
    seconds = time.monotonic() - begun
    return JobDone(role.name, job.title, end, reason, dict(watched.accepted), watched.turns, fresh, seconds)


async def within_bounds(
    held: asyncio.Task[Finished | GaveUp], watched: Watched, limits: Limits, patience: float
) -> Finished | GaveUp | None:
    """How the job came to its end; None when it goes on beyond every bound that the harness promises."""
    try:
        while True:
            done, _ = await asyncio.wait({held}, timeout=1.0)
            if done:
                return held.result()
            if len(watched.turns) > limits.calls or time.monotonic() - watched.heard > patience:
                return None
    finally:
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)


def ended(came: Finished | GaveUp) -> tuple[str, str]:
    """The end of a job and its reason, in the words of the record."""
    if isinstance(came, GaveUp):
        return GAVE_UP, came.reason
    if came.tool == "give_up":
        return DECLINED, str(came.arguments.get("reason"))
    return FINISHED, came.tool


async def in_hands(context: Context, job: Job) -> bool:
    """Whether nobody would ever go on with the job's experiment."""
    if job.experiment_id is None:
        return False
    experiment = await context.store.experiment(job.experiment_id)
    assert experiment is not None
    submitted = experiment.commit_id is not None and job.kind == "patch"
    return experiment.state is State.PATCHING and not submitted


async def play_role(words: argparse.Namespace, keep: Path, role: str) -> None:
    """Jobs of one role until its turns are taken. Raises SystemExit where no reply comes at all."""
    record = keep / "jobs.jsonl"
    jobs = read(record, role)
    async with working_lab(keep / role) as context:
        file = load_role(context.lab, role)
        async with aclosing(model_for(words, file)) as model:
            while (turns := sum(len(job.turns) for job in jobs)) < words.turns:
                await lay_out(context, role, len(jobs))
                book = JobBook(context)
                job = await book.take("worker-1" if role == "worker" else role, role)
                assert job is not None, f"the bench has left no job for the {role}"
                done = await play(context, book, job, file, model, words.longest + TOOLS_SECONDS)
                if done.turns and all(turn.outcome == "failed" for turn in done.turns):
                    raise SystemExit(f"No reply comes: {done.reason}")
                append(record, done)
                jobs.append(done)
                if done.end == CRASHED and not done.turns:
                    raise SystemExit(f"No job of the {role} begins: {done.reason}")
                told = f"{role}: {turns + len(done.turns)} of {words.turns} turns; {done.title}: {done.end}"
                print(f"{told} after {len(done.turns)} turns, {done.seconds:.0f} s ({done.reason})", file=sys.stderr)


def model_for(words: argparse.Namespace, role: RoleFile) -> OpenAIModel:
    """The model at the address, as a team's would be made."""
    return OpenAIModel(
        name=words.model,
        base_url=words.base_url,
        model=words.model,
        api_key_env=words.key_variable,
        timeout_seconds=words.longest,
        longest_seconds=words.longest,
        temperature=role.temperature,
        max_tokens=words.max_tokens,
        context_tokens=words.context,
    )


async def play_all(words: argparse.Namespace, keep: Path) -> int:
    """Every role, then the table; the number of faults of the harness."""
    keep.mkdir(parents=True, exist_ok=True)
    for role in words.roles:
        await play_role(words, keep, role)
    found = [summed(role, read(keep / "jobs.jsonl", role)) for role in words.roles]
    print(table(found))
    return sum(one.ends[CRASHED] + one.ends[STUCK] for one in found)


def main(given: Sequence[str] | None = None) -> int:
    """Play, print, and say by the exit status whether the harness held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-url", required=True, help="for example http://127.0.0.1:8000/v1")
    parser.add_argument("--model", required=True, help="the model's name at the server")
    parser.add_argument("--turns", type=int, default=100, help="replies of the model for each role")
    parser.add_argument("--context", type=int, help="the model's window in tokens; learnt from the server's error")
    parser.add_argument("--roles", nargs="+", choices=ROLES, default=list(ROLES))
    parser.add_argument("--max-tokens", type=int, default=2048, help="of a reply")
    parser.add_argument("--longest", type=float, default=600.0, help="seconds for a reply")
    parser.add_argument("--key-variable", help="the NAME of the environment variable that holds the key")
    parser.add_argument("--keep", type=Path, help="keep labs and jobs.jsonl there, and go on where they stand")
    words = parser.parse_args(given)
    if words.keep is not None:
        return 1 if asyncio.run(play_all(words, words.keep.resolve())) else 0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        return 1 if asyncio.run(play_all(words, Path(directory))) else 0


if __name__ == "__main__":
    sys.exit(main())
