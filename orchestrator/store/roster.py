"""Who and what is there: agents, slots, notes, letters, answers to commands. Nothing here moves an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.history import EarlierResult
from orchestrator.runs.log_text import inert
from orchestrator.store.agents import Letter, StoredCall
from orchestrator.store.pen import Pen
from orchestrator.store.records import Command, utc_now
from roles.bounds import LARGEST_ID


class Roster(Pen):
    """The part of the writer that keeps the tables beside experiments and runs."""

    async def set_agents(self, agents: Sequence[tuple[str, str, str, str]]) -> None:
        """The agents of the team, as (name, role, team, model); tallies of known names go on, others leave."""
        async with self._change():
            names = [name for name, *_ in agents]
            await self._do(f"DELETE FROM agents WHERE name NOT IN ({', '.join('?' for _ in names)})", names)
            for name, role, team, model in agents:
                await self._do(
                    "INSERT INTO agents (name, role, team, model, state, job, jobs_done, jobs_failed, tokens_in,"
                    " tokens_out, updated_at) VALUES (?, ?, ?, ?, 'idle', '', 0, 0, 0, 0, ?) ON CONFLICT (name)"
                    " DO UPDATE SET role = excluded.role, team = excluded.team, model = excluded.model,"
                    " state = 'idle', job = '', since = '', rate = NULL,"
                    " experiment_id = NULL, updated_at = excluded.updated_at",
                    (name, role, team, model, utc_now()),
                )

    async def add_agent(self, name: str, role: str, team: str, model: str) -> None:
        """One more agent while the others go on; the tallies of a known name go on too."""
        async with self._change():
            await self._do(
                "INSERT INTO agents (name, role, team, model, state, job, jobs_done, jobs_failed, tokens_in,"
                " tokens_out, updated_at) VALUES (?, ?, ?, ?, 'idle', '', 0, 0, 0, 0, ?) ON CONFLICT (name) DO NOTHING",
                (name, role, team, model, utc_now()),
            )
            await self._event("agent", name, "joins the team")

    async def remove_agent(self, name: str) -> None:
        """An agent leaves; what it did stays in calls and events."""
        async with self._change():
            await self._do("DELETE FROM agents WHERE name = ?", (name,))
            await self._event("agent", name, "leaves the team")

    async def set_agent(
        self,
        name: str,
        state: str,
        job: str = "",
        experiment_id: int | None = None,
        *,
        begins: bool = False,
        done: int = 0,
        failed: int = 0,
        tokens_in: int = 0,
        tokens_out: int = 0,
    ) -> None:
        """What an agent does now; the counts are added to its tallies. `begins`: its job is another one."""
        async with self._change():
            await self._do(
                "UPDATE agents SET since = iif(?10 OR since = '', ?8, since), state = ?1, job = ?2,"
                " experiment_id = ?3, jobs_done = jobs_done + ?4, jobs_failed = jobs_failed + ?5,"
                " tokens_in = tokens_in + ?6, tokens_out = tokens_out + ?7, updated_at = ?8 WHERE name = ?9",
                (state, job, experiment_id, done, failed, tokens_in, tokens_out, utc_now(), name, begins),
            )

    async def set_agent_rate(self, name: str, rate: float) -> None:
        """How fast its model writes, tokens a second; no event."""
        async with self._change():
            await self._do("UPDATE agents SET rate = ?, updated_at = ? WHERE name = ?", (rate, utc_now(), name))

    async def pause_agent(self, name: str, actor: str, pause: bool) -> None:
        """Note who has paused an agent, or that it may go on: a restart keeps it."""
        async with self._change():
            await self._do("UPDATE agents SET paused_by = ? WHERE name = ?", (actor if pause else "", name))
            await self._event("agent", actor, f"agent {name} is {'paused' if pause else 'resumed'}")

    async def paused_by(self, name: str) -> str:
        """Who has paused the agent; empty when nobody has."""
        row = await self.row("SELECT paused_by FROM agents WHERE name = ?", (name,))
        return "" if row is None else str(row["paused_by"])

    async def show_agent(self, name: str, state: str) -> None:
        """Another word for what an agent does; its job stays what it is."""
        async with self._change():
            await self._do("UPDATE agents SET state = ?, updated_at = ? WHERE name = ?", (state, utc_now(), name))

    async def add_call(self, call: StoredCall) -> None:
        """Keep a call of a model."""
        values = asdict(call)
        async with self._change():
            await self._do(
                f"INSERT INTO calls (at, {', '.join(values)}) VALUES (?, {', '.join('?' for _ in values)})",
                [utc_now(), *values.values()],
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

    async def add_note(self, kind: str, author: str, text: str, *, team: str = "", gist: str = "") -> None:
        """`gist`: what the event says of it in a line; empty: its first line."""
        async with self._change():
            await self._do(
                "INSERT INTO notes (at, kind, author, text, team) VALUES (?, ?, ?, ?, ?)",
                (utc_now(), kind, author, inert(text), team),
            )
            first = next((line for line in (gist or text).splitlines() if line.strip()), kind)
            await self._event("note", author, inert(first))

    async def add_letter(self, agent: str, text: str, author: str) -> None:
        """A person's message; `agent` is an agent's name, a role, a team, or 'all'."""
        async with self._change():
            await self._do(
                "INSERT INTO letters (at, author, agent, text) VALUES (?, ?, ?, ?)",
                (utc_now(), author, agent, inert(text)),
            )
            await self._event("letter", author, f"to {agent}: {text}")

    async def letters_for(self, role: str, agent: str, limit: int = 5) -> list[Letter]:
        """The newest letters to this agent, its role, its team or everybody, oldest first: standing advice."""
        rows = await self.rows(
            "SELECT * FROM letters WHERE agent IN (?, ?, 'all') OR agent = (SELECT team FROM agents WHERE name = ?)"
            " ORDER BY id DESC LIMIT ?",
            (role, agent, agent, limit),
        )
        return [Letter.from_row(row) for row in reversed(rows)]

    # -- history

    async def add_history(self, results: Sequence[EarlierResult], origin: str, actor: str) -> int:
        """Keep earlier results; returns how many are new. A row that is there already is left as it is."""
        async with self._change():
            before = await self.row("SELECT count(*) AS n FROM history")
            now = utc_now()
            for one in results:
                await self._do(
                    "INSERT OR IGNORE INTO history (commit_id, score, memory_gb, status, description, idea, bare_idea,"
                    " origin, imported_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (one.commit, one.score, one.memory_gb, one.status, one.description, *one.ideas, origin, now),
                )
            after = await self.row("SELECT count(*) AS n FROM history")
            assert before is not None and after is not None
            added = int(after["n"]) - int(before["n"])
            if added:
                await self._event("lab", actor, f"{added} earlier results imported from {origin}")
        return added

    # -- commands

    async def begin_command(self, command: Command) -> int | None:
        """Note that a command is under way; returns how often it was before, each time without an answer.

        None where it waits no more: who gave it has taken it back.
        """
        async with self._change():
            now = await self.command(command.id)
            if now is None or now.state != "waiting":
                return None
            before = int(await self.meta(command.underway, "0"))
            await self._do("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (command.underway, before + 1))
        return before

    async def leave_command(self, command: Command) -> None:
        """It is under way no more, and waits."""
        async with self._change():
            await self._do("DELETE FROM meta WHERE key = ?", (command.underway,))

    async def answer_command(self, command: Command, done: bool, answer: str) -> None:
        """Say what came of a command, after the fact."""
        answer = inert(answer)
        async with self._change():
            await self._do("DELETE FROM meta WHERE key = ?", (command.underway,))
            state = "done" if done else "refused"
            await self._do(
                "UPDATE commands SET state = ?, answer = ?, answered_at = ? WHERE id = ? AND state = 'waiting'",
                (state, answer, utc_now(), command.id),
            )
            experiment_id, told = command.arguments.get("id"), answer
            if command.verb == "add" and done and answer.isdecimal():  # the answer is the number, for whoever asked
                experiment_id, told = int(answer), f"experiment {answer}, {command.arguments.get('title', '')}"
            named = isinstance(experiment_id, int) and abs(experiment_id) <= LARGEST_ID
            await self._event(
                "command",
                command.actor,
                f"{command.verb}: {told}",
                experiment_id=experiment_id if named else None,
                after=state,
            )
