"""The daemon's pen: every change of lab state is one transaction that also writes an event with the reason."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from orchestrator.store.database import connect, database_error, transaction
from orchestrator.store.reader import Reader
from orchestrator.store.records import Command, Experiment, Letter, Run, RunKind, utc_now
from orchestrator.store.states import State, check_move


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an experiment is made from."""

    title: str
    hypothesis: str
    source: str
    variable: str = ""
    edit: str = ""
    patch: str | None = None


@dataclass(frozen=True, slots=True)
class Measurement:
    """What came of a run: `outcome` is a word of orchestrator.runs.Outcome; seconds, bytes, bits per byte."""

    outcome: str
    reason: str
    val_bpb: float | None = None
    startup_seconds: float | None = None
    training_seconds: float | None = None
    scoring_seconds: float | None = None
    steps: int | None = None
    parameters: int | None = None
    peak_memory: int | None = None


class Writer(Reader):
    """The one writer of a lab (the daemon holds the lab's lock). Serialises its own transactions."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._turn = asyncio.Lock()

    async def open(self) -> Self:
        self._connection = await connect(self.path, create=True)
        return self

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[None]:
        async with self._turn:
            try:
                async with transaction(self.connection):
                    yield
            except sqlite3.Error as error:
                raise database_error(self.path, error) from error

    async def _do(self, sql: str, arguments: Sequence[Any] = ()) -> int:
        async with self.connection.execute(sql, arguments) as cursor:
            return cursor.lastrowid or 0

    async def _event(
        self,
        kind: str,
        actor: str,
        reason: str,
        *,
        experiment_id: int | None = None,
        run_id: int | None = None,
        before: str | None = None,
        after: str | None = None,
    ) -> None:
        await self._do(
            "INSERT INTO events (at, actor, kind, experiment_id, run_id, before, after, reason)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (utc_now(), actor, kind, experiment_id, run_id, before, after, reason),
        )

    async def event(self, kind: str, actor: str, reason: str, *, experiment_id: int | None = None) -> None:
        """Record something that changes no state."""
        async with self._change():
            await self._event(kind, actor, reason, experiment_id=experiment_id)

    async def set_meta(self, key: str, value: str, *, actor: str = "autolab", reason: str = "") -> None:
        """Set a fact of the lab; with `reason`, an event tells of it."""
        async with self._change():
            await self._do("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
            if reason:
                await self._event("lab", actor, reason)

    # -- experiments

    async def add_start(self, commit_id: str, title: str, reason: str, actor: str = "autolab") -> Experiment:
        """A commit of master that no experiment of this lab made: the start (id 0), or a person's own commit."""
        async with self._change():
            first = await self.row("SELECT 1 FROM experiments WHERE id = 0") is None
            experiment_id = await self._insert(
                Proposal(title, reason, actor), State.PROMOTED, reason, actor, "", 0, 0 if first else None
            )
            await self._do(
                "UPDATE experiments SET branch = 'master', commit_id = ? WHERE id = ?",
                (commit_id, experiment_id),
            )
            await self._master(commit_id, experiment_id, actor, reason)
        return await self._known(experiment_id)

    async def add_experiment(
        self, proposal: Proposal, *, author: str, team: str, priority: int = 0, state: State = State.PROPOSED
    ) -> Experiment:
        """A new experiment, `proposed` (or `queued`, for a person's own)."""
        async with self._change():
            reason = f"proposed by {author}"
            experiment_id = await self._insert(proposal, state, reason, author, team, priority, None)
        return await self._known(experiment_id)

    async def _insert(
        self,
        proposal: Proposal,
        state: State,
        reason: str,
        author: str,
        team: str,
        priority: int,
        experiment_id: int | None,
    ) -> int:
        now = utc_now()
        new_id = await self._do(
            "INSERT INTO experiments (id, title, hypothesis, source, variable, edit, patch, author, team, state,"
            " reason, priority, attempt, role_model, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, '', ?, ?)",
            (
                experiment_id,
                proposal.title,
                proposal.hypothesis,
                proposal.source,
                proposal.variable,
                proposal.edit,
                proposal.patch,
                author,
                team,
                state,
                reason,
                priority,
                now,
                now,
            ),
        )
        new_id = new_id if experiment_id is None else experiment_id
        await self._event("state", author, reason, experiment_id=new_id, after=state)
        return new_id

    async def _known(self, experiment_id: int) -> Experiment:
        experiment = await self.experiment(experiment_id)
        assert experiment is not None, f"no experiment {experiment_id}"
        return experiment

    async def move(
        self, experiment_id: int, after: State, reason: str, *, actor: str = "autolab", **changes: Any
    ) -> Experiment:
        """Take an experiment to another state, with `changes` to its columns, in one transaction.

        Raises IllegalMove when the chart has no such arrow.
        """
        async with self._change():
            await self._move(experiment_id, after, reason, actor, changes)
        return await self._known(experiment_id)

    async def _move(
        self, experiment_id: int, after: State, reason: str, actor: str, changes: dict[str, Any] | None = None
    ) -> None:
        before = (await self._known(experiment_id)).state
        check_move(before, after)
        values = {**(changes or {}), "state": after, "reason": reason, "updated_at": utc_now()}
        columns = ", ".join(f"{column} = ?" for column in values)
        await self._do(f"UPDATE experiments SET {columns} WHERE id = ?", [*values.values(), experiment_id])
        if "commit_id" in values or "parent" in values:
            await self._rescore(experiment_id)
        await self._event("state", actor, reason, experiment_id=experiment_id, before=before, after=after)

    async def annotate(self, experiment_id: int, reason: str, *, actor: str, **changes: Any) -> None:
        """Change columns of an experiment that stays in its state, with an event that says why."""
        async with self._change():
            values = {**changes, "updated_at": utc_now()}
            columns = ", ".join(f"{column} = ?" for column in values)
            await self._do(f"UPDATE experiments SET {columns} WHERE id = ?", [*values.values(), experiment_id])
            if "commit_id" in values or "parent" in values:
                await self._rescore(experiment_id)
            await self._event("experiment", actor, reason, experiment_id=experiment_id)

    async def set_priority(self, experiment_id: int, priority: int, reason: str, *, actor: str) -> None:
        async with self._change():
            before = (await self._known(experiment_id)).priority
            await self._do("UPDATE experiments SET priority = ? WHERE id = ?", (priority, experiment_id))
            await self._event(
                "priority",
                actor,
                reason,
                experiment_id=experiment_id,
                before=str(before),
                after=str(priority),
            )

    # -- runs

    async def begin_run(self, experiment: Experiment, kind: RunKind, seed: int, slot: str, commit_id: str) -> Run:
        """A run takes a slot; a `ready` experiment is `running` from here."""
        async with self._change():
            run_id = await self._do(
                "INSERT INTO runs (experiment_id, attempt, kind, seed, commit_id, parent, slot, reason, started_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, '', ?)",
                (
                    experiment.id,
                    experiment.attempt,
                    kind,
                    seed,
                    commit_id,
                    experiment.parent,
                    slot,
                    utc_now(),
                ),
            )
            reason = f"{kind} run {run_id} with seed {seed} starts on {slot}"
            await self._event("run", "autolab", reason, experiment_id=experiment.id, run_id=run_id, after="running")
            if kind is RunKind.SCREEN:
                await self._move(experiment.id, State.RUNNING, reason, "autolab")
            await self._do("UPDATE slots SET run_id = ?, phase = 'starting' WHERE name = ?", (run_id, slot))
        run = await self.run(run_id)
        assert run is not None
        return run

    async def end_run(self, run_id: int, measured: Measurement) -> Run:
        """Record what came of a run, once; the scores that depend on it follow in the same transaction."""
        async with self._change():
            run = await self.run(run_id)
            assert run is not None and not run.ended, f"run {run_id} has ended already"
            await self._do(
                "UPDATE runs SET outcome = ?, reason = ?, val_bpb = ?, startup_seconds = ?, training_seconds = ?,"
                " scoring_seconds = ?, steps = ?, parameters = ?, peak_memory = ?, ended_at = ? WHERE id = ?",
                (
                    measured.outcome,
                    measured.reason,
                    measured.val_bpb,
                    measured.startup_seconds,
                    measured.training_seconds,
                    measured.scoring_seconds,
                    measured.steps,
                    measured.parameters,
                    measured.peak_memory,
                    utc_now(),
                    run_id,
                ),
            )
            await self._do(
                "UPDATE slots SET run_id = NULL, phase = 'idle', progress = NULL, step = NULL, loss = NULL"
                " WHERE run_id = ?",
                (run_id,),
            )
            await self._event(
                "run",
                "autolab",
                measured.reason,
                experiment_id=run.experiment_id,
                run_id=run_id,
                after=measured.outcome,
            )
            await self._rescore(run.experiment_id)
        ended = await self.run(run_id)
        assert ended is not None
        return ended

    async def mark_tracked(self, run_id: int) -> None:
        async with self._change():
            await self._do("UPDATE runs SET tracked = 1 WHERE id = ?", (run_id,))

    async def _rescore(self, experiment_id: int) -> None:
        """Bring `val_bpb` and `delta` up to date: of this experiment, and of those measured against its commits."""
        await self._do(
            "UPDATE experiments SET val_bpb = (SELECT avg(val_bpb) FROM runs WHERE runs.experiment_id = experiments.id"
            " AND runs.commit_id = experiments.commit_id AND runs.attempt = experiments.attempt) WHERE id = ?",
            (experiment_id,),
        )
        await self._do(
            "UPDATE experiments SET delta = val_bpb - (SELECT base.val_bpb FROM masters JOIN experiments AS base"
            " ON base.id = masters.experiment_id WHERE masters.commit_id = experiments.parent)"
            " WHERE id = ? OR parent IN (SELECT commit_id FROM masters WHERE experiment_id = ?)",
            (experiment_id, experiment_id),
        )

    # -- promotion

    async def promote(self, experiment_id: int, master: str, reason: str, *, actor: str = "autolab") -> Experiment:
        """Master stands on the merge commit `master` now, measured by this experiment's runs."""
        async with self._change():
            await self._move(experiment_id, State.PROMOTED, reason, actor)
            await self._master(master, experiment_id, actor, reason)
        return await self._known(experiment_id)

    async def adopt_master(self, commit_id: str, experiment_id: int, reason: str) -> None:
        """Master moved by a person's commit that leaves the target as it was measured."""
        async with self._change():
            await self._master(commit_id, experiment_id, "a person", reason)

    async def _master(self, commit_id: str, experiment_id: int, actor: str, reason: str) -> None:
        await self._do(
            "INSERT INTO masters (commit_id, experiment_id, at) VALUES (?, ?, ?)",
            (commit_id, experiment_id, utc_now()),
        )
        await self._event("master", actor, reason, experiment_id=experiment_id, after=commit_id)

    # -- agents, slots, notes

    async def set_agents(self, agents: Sequence[tuple[str, str, str, str]]) -> None:
        """The agents of the team, as (name, role, team, model); tallies of known names go on, others leave."""
        async with self._change():
            names = [name for name, *_ in agents]
            await self._do(f"DELETE FROM agents WHERE name NOT IN ({', '.join('?' for _ in names)})", names)
            for name, role, team, model in agents:
                await self._do(
                    "INSERT INTO agents VALUES (?, ?, ?, ?, 'idle', '', NULL, 0, 0, 0, 0, ?) ON CONFLICT (name)"
                    " DO UPDATE SET role = excluded.role, team = excluded.team, model = excluded.model,"
                    " state = 'idle', job = '',"
                    " experiment_id = NULL, updated_at = excluded.updated_at",
                    (name, role, team, model, utc_now()),
                )

    async def set_agent(
        self,
        name: str,
        state: str,
        job: str = "",
        experiment_id: int | None = None,
        *,
        done: int = 0,
        failed: int = 0,
        tokens_in: int = 0,
        tokens_out: int = 0,
    ) -> None:
        """What an agent does now; the counts are added to its tallies."""
        async with self._change():
            await self._do(
                "UPDATE agents SET state = ?, job = ?, experiment_id = ?, jobs_done = jobs_done + ?,"
                " jobs_failed = jobs_failed + ?, tokens_in = tokens_in + ?, tokens_out = tokens_out + ?, updated_at = ?"
                " WHERE name = ?",
                (state, job, experiment_id, done, failed, tokens_in, tokens_out, utc_now(), name),
            )

    async def set_slots(self, slots: Sequence[tuple[str, str]]) -> None:
        """The slots of this machine, as (name, device)."""
        async with self._change():
            names = [name for name, _ in slots]
            await self._do(f"DELETE FROM slots WHERE name NOT IN ({', '.join('?' for _ in names)})", names)
            for name, device in slots:
                await self._do(
                    "INSERT INTO slots (name, device, phase, updated_at) VALUES (?, ?, 'idle', ?)"
                    " ON CONFLICT (name) DO UPDATE SET device = excluded.device",
                    (name, device, utc_now()),
                )

    async def set_slot(self, name: str, **readings: Any) -> None:
        """Live readings of a slot (columns of `slots`); no event."""
        async with self._change():
            values = {**readings, "updated_at": utc_now()}
            columns = ", ".join(f"{column} = ?" for column in values)
            await self._do(f"UPDATE slots SET {columns} WHERE name = ?", [*values.values(), name])

    async def add_note(self, kind: str, author: str, text: str) -> None:
        async with self._change():
            await self._do(
                "INSERT INTO notes (at, kind, author, text) VALUES (?, ?, ?, ?)",
                (utc_now(), kind, author, text),
            )
            await self._event("note", author, text.splitlines()[0] if text.strip() else kind)

    async def add_letter(self, agent: str, text: str, author: str) -> None:
        """A person's message; `agent` is an agent's name, a role, or 'all'."""
        async with self._change():
            await self._do(
                "INSERT INTO letters (at, author, agent, text) VALUES (?, ?, ?, ?)",
                (utc_now(), author, agent, text),
            )
            await self._event("letter", author, f"to {agent}: {text}")

    async def letters_for(self, role: str, agent: str, limit: int = 5) -> list[Letter]:
        """The newest letters to this agent, its role or everybody, oldest first: standing advice of the person."""
        rows = await self.rows(
            "SELECT * FROM letters WHERE agent IN (?, ?, 'all') ORDER BY id DESC LIMIT ?",
            (role, agent, limit),
        )
        return [Letter.from_row(row) for row in reversed(rows)]

    # -- commands

    async def waiting_commands(self) -> list[Command]:
        return [
            Command.from_row(row)
            for row in await self.rows("SELECT * FROM commands WHERE state = 'waiting' ORDER BY id")
        ]

    async def answer_command(self, command: Command, done: bool, answer: str) -> None:
        """Say what came of a command, after the fact."""
        async with self._change():
            state = "done" if done else "refused"
            await self._do(
                "UPDATE commands SET state = ?, answer = ?, answered_at = ? WHERE id = ? AND state = 'waiting'",
                (state, answer, utc_now(), command.id),
            )
            experiment_id = command.arguments.get("id")
            await self._event(
                "command",
                command.actor,
                f"{command.verb}: {answer}",
                experiment_id=experiment_id if isinstance(experiment_id, int) else None,
                after=state,
            )
