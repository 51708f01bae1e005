"""An agent's log: plain lines, appended as they happen, for people to watch."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.errors import LabError
from orchestrator.store.agents import StoredCall
from orchestrator.store.writer import Writer
from roles.record import CallRecord, Trouble
from roles.tally import TOKENS_PER_CHARACTER

LONGEST = 400
RATE_SECONDS = 1.0
"""Between two looks at how fast a reply streams."""
BRIEFEST_SECONDS = 0.05
"""A reply that takes less is no work of a language model: it has no rate worth telling."""
ROTATE_BYTES = 4 * 2**20


class AgentJournal:
    """Writes what an agent says and does to `.autolab/agents/<name>.log` and its state to the store."""

    def __init__(self, path: Path, store: Writer, name: str, role: str, team: str = "") -> None:
        self._path = path
        self._store = store
        self._name = name
        self._role = role
        self._team = team
        self._pending = ""
        self._missing: list[str] = []  # of the calls, what did not reach the store
        self._updates: set[asyncio.Task[None]] = set()
        self._job = ""
        self._experiment_id: int | None = None
        self._asked_at = self._told_at = time.monotonic()
        self._first_at: float | None = None  # when the reply at hand began to stream
        self._characters = 0  # of it so far
        path.parent.mkdir(parents=True, exist_ok=True)

    def begin(self, job: str, experiment_id: int | None = None) -> None:
        """A new job starts here."""
        self._job, self._experiment_id = job, experiment_id
        if self._path.exists() and self._path.stat().st_size > ROTATE_BYTES:
            self._path.replace(self._path.with_suffix(".log.1"))
        self._write(f"=== {job}")

    def thinking(self) -> None:
        self._asked_at = self._told_at = time.monotonic()
        self._first_at, self._characters = None, 0
        self._state("thinking")

    def text(self, piece: str) -> None:
        """A piece of streamed text; whole lines are written as they complete."""
        self._tell_rate(piece)
        *lines, self._pending = (self._pending + piece).split("\n")
        for line in lines:
            if line.strip():
                self._write(line)

    def call(self, name: str, arguments: str) -> None:
        self._flush()
        self._state("calling")
        self._write(f"-> {name} {_short(arguments)}")

    def answer(self, name: str, text: str) -> None:
        self._write(f"<- {_short(text)}")

    def note(self, text: str) -> None:
        self._flush()
        self._write(f"-- {text}")

    def _tell_rate(self, piece: str) -> None:
        """How fast the reply at hand streams, by its length: tokens are counted only when it has ended."""
        now = time.monotonic()
        if self._first_at is None:
            self._first_at = self._told_at = now
            return
        self._characters += len(piece)
        if now - self._told_at >= RATE_SECONDS:
            self._told_at = now
            rate = self._characters * TOKENS_PER_CHARACTER / (now - self._first_at)
            self._later(self._store.set_agent_rate(self._name, rate))

    def usage(self, tokens_in: int, tokens_out: int) -> None:
        began = self._asked_at if self._first_at is None else self._first_at
        seconds = time.monotonic() - began
        if tokens_out and seconds > BRIEFEST_SECONDS:
            self._later(self._store.set_agent_rate(self._name, tokens_out / seconds))
        self._later(
            self._store.set_agent(
                self._name, "thinking", self._job, self._experiment_id, tokens_in=tokens_in, tokens_out=tokens_out
            )
        )

    def record(self, call: CallRecord) -> None:
        """A call of the model has ended: it is kept whole."""
        kept = StoredCall(
            agent=self._name,
            role=self._role,
            job=self._job,
            experiment_id=self._experiment_id,
            model=call.model,
            prompt_hash=call.prompt_hash,
            reply=call.reply,
            tool_calls=json.dumps([[one.name, one.arguments] for one in call.tool_calls], ensure_ascii=False),
            tokens_in=call.tokens_in,
            tokens_out=call.tokens_out,
            estimated=int(call.estimated),
            money=call.money,
            seconds=call.seconds,
            first_token_seconds=call.first_token_seconds,
            finish_reason=call.finish_reason,
            outcome=str(call.outcome),
            troubles=json.dumps([str(one) for one in call.troubles]),
            team=self._team,
        )
        self._later(self._add(kept))
        if Trouble.PROMPT_CUT in call.troubles:
            self._later(self._tell_of_cut(call))

    async def _tell_of_cut(self, call: CallRecord) -> None:
        """Once for each model: what a server leaves out of a prompt, nobody would see otherwise."""
        key = f"anomaly prompt cut {call.model}"
        if await self._store.meta(key):
            return
        await self._store.set_meta(key, "1")
        told = (
            f"the server of {call.model} counted {call.tokens_in} tokens of a prompt that is much longer: it seems to"
            " cut prompts without an error; raise its window (Ollama: OLLAMA_CONTEXT_LENGTH), and set context_tokens to"
            " it"
        )
        await self._store.event("anomaly", "autolab", told, experiment_id=self._experiment_id)

    async def _add(self, call: StoredCall) -> None:
        try:
            await self._store.add_call(call)
        except LabError as error:
            self._missing.append(f"{call.tokens_in} tokens in, {call.tokens_out} out: {error.sentence}")
            self._write(f"-- a call of the model is missing in the account ({self._missing[-1]})")

    async def settle(self) -> None:
        """Wait until every update has reached the store."""
        self._flush()
        while self._updates:
            await asyncio.gather(*self._updates, return_exceptions=True)
        if self._missing:
            several = f"{len(self._missing)} calls of the model are" if len(self._missing) > 1 else "a call is"
            told = f"{several} missing in the account of tokens and money: {self._missing[-1]}"
            with contextlib.suppress(LabError):  # then the next job tries to tell it; the agent's log has it already
                await self._store.event("agent", self._name, told)
                self._missing.clear()

    def _state(self, state: str) -> None:
        self._later(self._store.set_agent(self._name, state, self._job, self._experiment_id))

    def _later(self, update: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(update)
        self._updates.add(task)
        task.add_done_callback(self._updates.discard)

    def _flush(self) -> None:
        if self._pending.strip():
            self._write(self._pending)
        self._pending = ""

    def _write(self, line: str) -> None:
        stamp = datetime.now(UTC).strftime("%H:%M:%S")
        with self._path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(f"{stamp} {line}\n")


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    first = " ".join(text.split())
    return first if len(first) <= LONGEST else f"{first[:LONGEST]} ... ({len(text)} characters)"
