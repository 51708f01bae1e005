"""What the agent loop saves from weak models: completion and wasted tokens per misbehaviour, with and without it.

    python bench/weak_model.py [--jobs N] [--only PIECE] [--json FILE]

A scripted server over HTTP plays a worker's job (read, edit, submit) and misbehaves in the ways of
tests/roles/misbehaviours.py. "Without" is a plain loop: it carries out what the client library hands over, answers each
call with the tool's answer or its error, and ends at the first reply without a call, at the first failure of the
endpoint, and after as many replies as the loop with remedies may have. The client is the same but for its tries, one
instead of four: it puts pieces of odd streams together and stops endless replies in both. Wasted are all tokens of a
job that was not finished, and of a finished one those beyond what a faultless model takes. Tokens are counted by the
rule of four characters each, for prompt and reply alike, since a script has no tokenizer; all that cross the wire
count, also those of replies that were asked for again.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from roles.agent import Finished, Limits, converse  # noqa: E402
from roles.chat import ChatModel, Message  # noqa: E402
from roles.circuit import Circuit  # noqa: E402
from roles.errors import ModelError, ToolRefusal  # noqa: E402
from roles.openai_model import OpenAIModel  # noqa: E402
from tests.roles.misbehaviours import MISBEHAVIOURS, Misbehaviour  # noqa: E402
from tests.roles.openai_server import OpenAIServer, Request, Scripted  # noqa: E402
from tests.roles.weak_scripts import right  # noqa: E402
from tests.roles.workbench import BRIEF, SYSTEM, Silent, Workbench  # noqa: E402

SETTINGS: dict[str, Any] = {"timeout_seconds": 0.6, "longest_seconds": 20, "retry_seconds": 0.01}
CHARACTERS_PER_TOKEN = 4
LONGEST_JOB = 60.0


@dataclass
class Wire:
    """What crossed the wire in a job, in characters."""

    asked: int = 0
    answered: int = 0
    requests: int = 0

    @property
    def tokens(self) -> int:
        return (self.asked + self.answered) // CHARACTERS_PER_TOKEN

    def served(self, request: Request, reply: Scripted) -> Scripted:
        """The reply, counted as it is sent."""
        self.requests += 1
        self.asked += len(json.dumps([request.body["messages"], request.body.get("tools", [])]))
        return replace(reply, pieces=self._counted(reply.pieces))

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.answered += _written(piece)
            yield piece


def _written(piece: bytes) -> int:
    """The characters of a model's writing in an event; what belongs to the protocol is none."""
    try:
        delta = json.loads(piece.removeprefix(b"data: "))["choices"][0]["delta"]
    except (ValueError, LookupError, TypeError):
        return 0
    texts = [delta.get("content"), delta.get("reasoning_content")]
    texts += [part for call in delta.get("tool_calls", []) for part in call["function"].values()]
    return sum(len(text if isinstance(text, str) else json.dumps(text)) for text in texts if text)


@dataclass(frozen=True)
class Figures:
    """Of one misbehaviour one way: jobs finished of those begun, tokens and requests of a job on average."""

    finished: int
    jobs: int
    tokens: float
    wasted: float
    requests: float


async def plain(model: ChatModel, workbench: Workbench) -> bool:
    """The loop without remedies; whether the job was finished."""
    tools = {tool.name: tool for tool in workbench.tools()}
    messages = [Message("system", SYSTEM), Message("user", BRIEF)]
    for _ in range(Limits().calls):
        try:
            reply = await model.reply(tuple(messages), [tool.spec for tool in tools.values()], lambda _: None)
        except ModelError:
            return False
        if not reply.tool_calls:
            return False
        messages.append(Message("assistant", reply.text, reply.tool_calls))
        for call in reply.tool_calls:
            finished = False
            try:
                given = json.loads(call.arguments)
                if call.name not in tools or not isinstance(given, dict):
                    raise ToolRefusal(f"Error: no tool {call.name} with such arguments")
                answer = await tools[call.name](given)
                told, finished = answer.text, answer.finished
            except ToolRefusal as refusal:
                told = f"Error: {refusal}"
            except ValueError as error:
                told = f"Error: {error}"
            messages.append(Message("tool", told, tool_call_id=call.id))
            if finished:
                return True
    return False


async def job(bad: Misbehaviour | None, remedies: bool, filler: int) -> tuple[bool, Wire]:
    """One job against a server of its own."""
    wire, number = Wire(), iter(range(10**6))

    def reply(request: Request) -> Scripted:
        made = bad.script(request, next(number)) if bad else None
        return wire.served(request, made or right(request))

    workbench = Workbench(filler)
    with OpenAIServer(reply) as server:
        settings = {**SETTINGS, **dict(bad.settings if bad else ())}
        model = OpenAIModel(
            name="weak",
            base_url=server.url,
            model="scripted",
            circuit=Circuit(server.url),
            retries=3 if remedies else 0,
            **settings,
        )
        async with asyncio.timeout(LONGEST_JOB):
            if remedies:
                came = await converse(model, SYSTEM, BRIEF, workbench.tools(), Silent())
                finished = isinstance(came, Finished) and bool(workbench.submitted)
            else:
                finished = await plain(model, workbench) and bool(workbench.submitted)
        await model.aclose()
    return finished, wire


async def figures(bad: Misbehaviour, remedies: bool, jobs: int, filler: int, needed: int) -> Figures:
    """Of `jobs` jobs; `needed` is what a faultless model's job takes, in tokens."""
    came = [await job(bad, remedies, filler) for _ in range(jobs)]
    wasted = [max(0, wire.tokens - needed) if finished else wire.tokens for finished, wire in came]
    return Figures(
        sum(finished for finished, _ in came),
        jobs,
        sum(wire.tokens for _, wire in came) / jobs,
        sum(wasted) / jobs,
        sum(wire.requests for _, wire in came) / jobs,
    )


async def measure(jobs: int, only: str) -> dict[str, tuple[Figures, Figures]]:
    """Without and with the remedies, for each misbehaviour whose name has `only` in it; printed as they come."""
    found: dict[str, tuple[Figures, Figures]] = {}
    print(f"{'':48}{'without':>24}{'with the remedies':>30}")
    print(f"{'misbehaviour':48}{'finished':>10}{'wasted':>14}{'finished':>12}{'wasted':>9}{'requests':>9}")
    for name, bad in MISBEHAVIOURS.items():
        if only not in name:
            continue
        filler = 400 if "window" in name else 0
        faultless, wire = await job(None, True, filler)
        assert faultless
        without = await figures(bad, False, jobs, filler, wire.tokens)
        with_ = await figures(bad, True, jobs, filler, wire.tokens)
        found[name] = (without, with_)
        print(
            f"{name:48}{_share(without):>10}{without.wasted:>14.0f}{_share(with_):>12}{with_.wasted:>9.0f}"
            f"{with_.requests:>9.1f}",
            flush=True,
        )
    return found


def _share(one: Figures) -> str:
    return f"{100 * one.finished / one.jobs:.0f} %"


def _sums(found: dict[str, tuple[Figures, Figures]]) -> None:
    for at, title in ((0, "without"), (1, "with the remedies")):
        column = [pair[at] for pair in found.values()]
        begun, finished = sum(one.jobs for one in column), sum(one.finished for one in column)
        wasted = sum(one.wasted * one.jobs for one in column)
        spent = sum(one.tokens * one.jobs for one in column)
        each = f"{spent / finished:.0f} tokens per finished job" if finished else "no job finished"
        print(f"{title}: {finished} of {begun} jobs finished, {wasted / begun:.0f} tokens wasted per job, {each}")


def main() -> None:
    """Print the table, and the sums under it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1, help="of each misbehaviour, each way (the scripts do not vary)")
    parser.add_argument("--only", default="", help="misbehaviours whose name has this in it")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    options = parser.parse_args()
    found = asyncio.run(measure(max(1, options.jobs), options.only))
    if not found:
        parser.error(f"no misbehaviour has {options.only!r} in its name")
    _sums(found)
    if options.json:
        options.json.write_text(json.dumps({name: [asdict(one) for one in pair] for name, pair in found.items()}))


if __name__ == "__main__":
    main()
