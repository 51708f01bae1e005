"""What anybody may ask of `runs.db`: the daemon, the command line and the control room read through here."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.store.agents import AgentRow, Note
from orchestrator.store.connection import Connection
from orchestrator.store.database import database_error
from orchestrator.store.filters import EVERYTHING, Filter, order_by
from orchestrator.store.records import CONDITIONS, Command, Earlier, Event, Experiment, Master, Run, SlotRow, utc_now
from orchestrator.store.states import ENDED, RAN, WAITING, State
from roles.bounds import LARGEST_ID


def _marks(values: Iterable[object]) -> str:
    return ", ".join("?" for _ in values)


def _among_results(only: Filter, noise: float | None) -> tuple[str, list[Any]]:
    """The condition that results meet, and its arguments."""
    where = f"(state IN ({_marks(ENDED)}) OR EXISTS (SELECT 1 FROM runs WHERE runs.experiment_id = experiments.id))"
    wanted, values = only.condition(noise)
    return f"{where} AND {wanted}", [*map(str, ENDED), *values]


class Reader(Connection):
    """What is asked of a lab's database. Use as `async with Reader(path) as reader:`."""

    # -- the lab

    async def meta(self, key: str, default: str = "") -> str:
        row = await self.row("SELECT value FROM meta WHERE key = ?", (key,))
        return default if row is None else str(row["value"])

    async def master(self, line: str = "") -> Master | None:
        """The commit that master stands on by the store's knowledge, and the experiment whose runs are its baseline.

        `line` is the team whose own master is meant; the lab's is "".
        """
        if line:
            row = await self.row("SELECT * FROM team_masters WHERE team = ? ORDER BY seq DESC LIMIT 1", (line,))
        else:
            row = await self.row("SELECT * FROM masters ORDER BY seq DESC LIMIT 1")
        return None if row is None else Master.from_row(row)

    async def baseline_experiment(self, commit_id: str | None) -> Experiment | None:
        """The experiment whose runs measured a commit of any master."""
        row = await self.row(
            "SELECT experiments.* FROM baselines JOIN experiments ON experiments.id = baselines.experiment_id"
            " WHERE baselines.commit_id = ?",
            (commit_id,),
        )
        return None if row is None else Experiment.from_row(row)

    async def masters(self) -> list[Master]:
        """Every commit that master stood on, oldest first."""
        return [Master.from_row(row) for row in await self.rows("SELECT * FROM masters ORDER BY seq")]

    async def counts(self) -> dict[State, int]:
        """How many experiments are in each state; every state is a key."""
        found = {
            State(row["state"]): int(row["n"])
            for row in await self.rows("SELECT state, count(*) AS n FROM experiments GROUP BY state")
        }
        return {state: found.get(state, 0) for state in State}

    # -- experiments

    async def experiment(self, experiment_id: int) -> Experiment | None:
        if abs(experiment_id) > LARGEST_ID:
            return None
        row = await self.row("SELECT * FROM experiments WHERE id = ?", (experiment_id,))
        return None if row is None else Experiment.from_row(row)

    async def in_states(self, states: Iterable[State]) -> list[Experiment]:
        """Experiments in any of `states`, the most urgent first (priority, then age)."""
        wanted = [str(state) for state in states]
        rows = await self.rows(
            f"SELECT * FROM experiments WHERE state IN ({_marks(wanted)}) ORDER BY priority DESC, id", wanted
        )
        return [Experiment.from_row(row) for row in rows]

    async def same_program(self, program: str, but: int) -> Experiment | None:
        """The first experiment for the same master that stands for the very same program and is not withdrawn."""
        row = await self.row(
            "SELECT * FROM experiments WHERE program = ? AND id != ? AND state NOT IN ('dropped', 'given_up')"
            " AND line = (SELECT line FROM experiments WHERE id = ?) ORDER BY id LIMIT 1",
            (program, but, but),
        )
        return None if row is None else Experiment.from_row(row)

    async def queue(self, only: Filter = EVERYTHING) -> list[Experiment]:
        """What waits for a run, nearest to its run first: ready, patching, queued, proposed."""
        near = " ".join(f"WHEN '{state}' THEN {n}" for n, state in enumerate(reversed(WAITING)))
        where, values = only.condition()
        order = f"{order_by(only.sort, only.descending)}, " if only.sort is not None else ""
        rows = await self.rows(
            f"SELECT * FROM experiments WHERE state IN ({_marks(WAITING)}) AND {where} "
            f"ORDER BY {order}CASE state {near} END, priority DESC, id",
            [*map(str, WAITING), *values],
        )
        return [Experiment.from_row(row) for row in rows]

    async def results(
        self,
        *,
        only: Filter = EVERYTHING,
        noise: float | None = None,
        sort: str = "id",
        descending: bool = True,
        limit: int | None = 1000,
        offset: int = 0,
    ) -> list[Experiment]:
        """Every experiment that has started a run, or ended: filtered, sorted and cut in SQL.

        `sort` is a column of orchestrator.store.filters (the order in `only` is the caller's to take), `noise` the
        deviation of one run, which a filter by `error` needs; `offset` rows are left out before the first.
        """
        where, arguments = _among_results(only, noise)
        sql = f"SELECT * FROM experiments WHERE {where} ORDER BY {order_by(sort, descending)}"
        if limit is not None:
            sql += f" LIMIT {int(limit)} OFFSET {int(offset)}"
        return [Experiment.from_row(row) for row in await self.rows(sql, arguments)]

    async def count_results(self, *, only: Filter = EVERYTHING, noise: float | None = None) -> int:
        """How many `results` finds without a limit."""
        where, arguments = _among_results(only, noise)
        row = await self.row(f"SELECT count(*) AS n FROM experiments WHERE {where}", arguments)
        assert row is not None
        return int(row["n"])

    async def promotions(self) -> list[Experiment]:
        """The promoted experiments in the order in which master took them, the start first."""
        rows = await self.rows(
            "SELECT experiments.* FROM masters JOIN experiments ON experiments.id = masters.experiment_id "
            "GROUP BY experiments.id ORDER BY min(masters.seq)"
        )
        return [Experiment.from_row(row) for row in rows]

    async def scored(self) -> list[Experiment]:
        """Every experiment with a score, in the order of their outcomes: the points of the best-score plot."""
        rows = await self.rows("SELECT * FROM experiments WHERE val_bpb IS NOT NULL ORDER BY updated_at, id")
        return [Experiment.from_row(row) for row in rows]

    # -- runs

    async def run(self, run_id: int) -> Run | None:
        row = await self.row("SELECT * FROM runs WHERE id = ?", (run_id,))
        return None if row is None else Run.from_row(row)

    async def runs_of(self, experiment_id: int) -> list[Run]:
        """All runs of an experiment, of every attempt, oldest first."""
        rows = await self.rows("SELECT * FROM runs WHERE experiment_id = ? ORDER BY id", (experiment_id,))
        return [Run.from_row(row) for row in rows]

    async def runs_of_many(self, experiment_ids: Sequence[int]) -> dict[int, list[Run]]:
        """All runs of several experiments at once, by experiment."""
        found: dict[int, list[Run]] = {experiment_id: [] for experiment_id in experiment_ids}
        for start in range(0, len(experiment_ids), 500):
            part = experiment_ids[start : start + 500]
            sql = f"SELECT * FROM runs WHERE experiment_id IN ({_marks(part)}) ORDER BY id"
            for row in await self.rows(sql, part):
                found[row["experiment_id"]].append(Run.from_row(row))
        return found

    async def runs_underway(self) -> list[Run]:
        return [Run.from_row(row) for row in await self.rows("SELECT * FROM runs WHERE outcome IS NULL ORDER BY id")]

    async def untracked_runs(self) -> list[Run]:
        """Ended runs whose curve is not in the Trackio project yet."""
        rows = await self.rows("SELECT * FROM runs WHERE outcome IS NOT NULL AND tracked = 0 ORDER BY id")
        return [Run.from_row(row) for row in rows]

    async def runs_since(self, at: str) -> list[Run]:
        """Runs that were under way at any time since `at` (UTC, ISO 8601)."""
        rows = await self.rows("SELECT * FROM runs WHERE outcome IS NULL OR ended_at >= ? ORDER BY id", (at,))
        return [Run.from_row(row) for row in rows]

    async def present_ground(self, device: str) -> str:
        """What a run on this kind of device would compare on by the settings of now."""
        conditions = await self.meta(CONDITIONS)
        return f"{device} under {conditions}" if conditions else device

    async def score_groups(self, ground: str | None = None) -> list[list[float]]:
        """The scores of every group of valid runs of one commit on one ground: what noise is estimated from.

        `ground` takes the groups of that alone: unlike devices and budgets have noises of their own.
        """
        groups: dict[tuple[str, str], list[float]] = {}
        rows = await self.rows(
            "SELECT commit_id, ground, val_bpb FROM runs WHERE val_bpb IS NOT NULL AND NOT void"
            " AND (? IS NULL OR ground = ?) ORDER BY id",
            (ground, ground),
        )
        for row in rows:
            groups.setdefault((row["commit_id"], row["ground"]), []).append(float(row["val_bpb"]))
        return list(groups.values())

    # -- earlier results from elsewhere

    async def history(self, *, limit: int, status: str | None = None) -> list[Earlier]:
        """The last `limit` imported results, in the order of their files; they are no experiments."""
        where, values = ("WHERE status = ?", [status]) if status else ("", [])
        rows = await self.rows(f"SELECT * FROM history {where} ORDER BY id DESC LIMIT ?", [*values, limit])
        return [Earlier.from_row(row) for row in reversed(rows)]

    async def history_counts(self) -> dict[str, int]:
        """How many imported results there are, by status; empty when nothing was imported."""
        rows = await self.rows("SELECT status, count(*) AS n FROM history GROUP BY status")
        return {str(row["status"]): int(row["n"]) for row in rows}

    async def earlier_twin(self, idea: str) -> Earlier | None:
        """The last imported result of the same idea (orchestrator.history.idea_of)."""
        if not idea:
            return None
        row = await self.row(
            "SELECT * FROM history WHERE idea = ? OR bare_idea = ? ORDER BY id DESC LIMIT 1", [idea] * 2
        )
        return None if row is None else Earlier.from_row(row)

    # -- everything else

    async def events(self, *, after: int = 0, experiment_id: int | None = None, limit: int = 1000) -> list[Event]:
        """The newest `limit` events with a sequence number above `after`, oldest first."""
        if experiment_id is None:
            sql, arguments = "seq > ?", [after]
        else:
            sql, arguments = "seq > ? AND experiment_id = ?", [after, experiment_id]
        rows = await self.rows(f"SELECT * FROM events WHERE {sql} ORDER BY seq DESC LIMIT ?", [*arguments, limit])
        return [Event.from_row(row) for row in reversed(rows)]

    async def newest_events(self, kind: str, limit: int, *, but_by: str = "") -> list[Event]:
        """The newest events of a kind, newest first; none of the actor `but_by`."""
        sql = "SELECT * FROM events WHERE kind = ? AND actor != ? ORDER BY seq DESC LIMIT ?"
        rows = await self.rows(sql, (kind, but_by, limit))
        return [Event.from_row(row) for row in rows]

    async def agents(self) -> list[AgentRow]:
        return [AgentRow.from_row(row) for row in await self.rows("SELECT * FROM agents ORDER BY name")]

    async def slots(self) -> list[SlotRow]:
        return [SlotRow.from_row(row) for row in await self.rows("SELECT * FROM slots ORDER BY name")]

    async def count_outcomes(self, team: str | None = None) -> int:
        """How many experiments have run to an outcome (states.RAN, or ended after a run), the start not counted.

        `team` counts that team's alone.
        """
        row = await self.row(
            "SELECT count(*) AS n FROM experiments WHERE id > 0 AND branch != 'master' AND (? IS NULL OR team = ?)"
            f" AND (state IN ({_marks(RAN)}) OR (state IN ({_marks(ENDED)})"
            " AND EXISTS (SELECT 1 FROM runs WHERE runs.experiment_id = experiments.id)))",
            [team, team, *map(str, RAN), *map(str, ENDED)],
        )
        assert row is not None
        return int(row["n"])

    async def notes(self, kind: str, limit: int = 10, *, team: str | None = None) -> list[Note]:
        """The newest notes of a kind, newest first; `team` takes that team's alone."""
        rows = await self.rows(
            "SELECT * FROM notes WHERE kind = ? AND (? IS NULL OR team = ?) ORDER BY id DESC LIMIT ?",
            (kind, team, team, limit),
        )
        return [Note.from_row(row) for row in rows]

    async def command(self, command_id: int) -> Command | None:
        row = await self.row("SELECT * FROM commands WHERE id = ?", (command_id,))
        return None if row is None else Command.from_row(row)

    async def waiting_commands(self) -> list[Command]:
        """Oldest first: those that nobody has answered; an order to stop waits until the lab has come to its end."""
        return [
            Command.from_row(row)
            for row in await self.rows("SELECT * FROM commands WHERE state = 'waiting' ORDER BY id")
        ]

    # -- the one table that a client writes

    async def post_command(self, verb: str, arguments: dict[str, Any], actor: str) -> int:
        """Leave a command for the daemon; returns its id. It waits there if the daemon is down."""
        try:
            async with self.connection.execute(
                "INSERT INTO commands (at, actor, verb, arguments, state, answer) VALUES (?, ?, ?, ?, 'waiting', '')",
                (utc_now(), actor, verb, json.dumps(arguments)),
            ) as cursor:
                assert cursor.lastrowid is not None
                return cursor.lastrowid
        except sqlite3.Error as error:
            raise database_error(self.path, error) from error

    async def withdraw_command(self, command: Command) -> bool:
        """Take back what the daemon has not begun; whether it was so still."""
        try:
            async with self.connection.execute(
                "UPDATE commands SET state = 'refused', answer = 'taken back before it was begun', answered_at = ?"
                " WHERE id = ? AND state = 'waiting' AND NOT EXISTS (SELECT 1 FROM meta WHERE key = ?)",
                (utc_now(), command.id, command.underway),
            ) as cursor:
                return cursor.rowcount == 1
        except sqlite3.Error as error:
            raise database_error(self.path, error) from error

    async def answer(self, command_id: int, timeout: float, poll: float = 0.05) -> Command:
        """The command once it is answered, or as it stands (`waiting`) when `timeout` seconds have passed."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            command = await self.command(command_id)
            assert command is not None
            if command.state != "waiting" or asyncio.get_running_loop().time() >= deadline:
                return command
            await asyncio.sleep(poll)
