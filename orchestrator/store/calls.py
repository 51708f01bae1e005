"""An agent's turns, one for each call of a model: counted, cut and searched in SQL, so that thousands cost nothing."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, Self

from orchestrator.store.reader import Reader

PREVIEW = 300
"""Characters of a reply and of its tool calls that a list of turns holds."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One call of a model. In a list `reply` and `tools` may be cut (PREVIEW); `turn_of` has them whole."""

    id: int
    at: str
    agent: str
    role: str
    job: str
    experiment_id: int | None
    model: str
    reply: str
    tools: tuple[tuple[str, str], ...]  # (name, arguments as JSON)
    tokens_in: int
    tokens_out: int
    estimated: bool
    money: float
    seconds: float
    first_token_seconds: float | None
    finish_reason: str
    outcome: str
    troubles: tuple[str, ...]

    @classmethod
    def from_row(cls, row: sqlite3.Row) -> Self:
        values: dict[str, Any] = {name: row[name] for name in row.keys()}  # noqa: SIM118
        values["tools"] = tuple((str(name), str(said)) for name, said in json.loads(values.pop("tool_calls")))
        values["troubles"] = tuple(map(str, json.loads(values["troubles"])))
        values["estimated"] = bool(values["estimated"])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Account:
    """What an agent's turns took in all; `outcomes` counts them by how they ended."""

    turns: int
    tokens_in: int
    tokens_out: int
    money: float
    outcomes: dict[str, int]


_COLUMNS = (
    "id, at, agent, role, job, experiment_id, model, {reply} AS reply, tool_calls, tokens_in, tokens_out, estimated,"
    " money, seconds, first_token_seconds, finish_reason, outcome, troubles"
)


def _where(agent: str, outcome: str) -> tuple[str, list[Any]]:
    return ("agent = ? AND outcome = ?", [agent, outcome]) if outcome else ("agent = ?", [agent])


async def account_of(reader: Reader, agent: str) -> Account:
    rows = await reader.rows(
        "SELECT outcome, count(*) AS n, sum(tokens_in) AS came, sum(tokens_out) AS went, sum(money) AS money"
        " FROM calls WHERE agent = ? GROUP BY outcome ORDER BY n DESC, outcome",
        (agent,),
    )
    return Account(
        sum(row["n"] for row in rows),
        sum(row["came"] for row in rows),
        sum(row["went"] for row in rows),
        sum(row["money"] for row in rows),
        {str(row["outcome"]): int(row["n"]) for row in rows},
    )


async def turns_of(reader: Reader, agent: str, *, outcome: str = "", limit: int, offset: int = 0) -> list[Turn]:
    """The agent's turns, newest first, `offset` of them left out; with `outcome` those that ended so."""
    where, values = _where(agent, outcome)
    columns = _COLUMNS.format(reply=f"substr(reply, 1, {PREVIEW})")
    rows = await reader.rows(
        f"SELECT {columns} FROM calls WHERE {where} ORDER BY id DESC LIMIT ? OFFSET ?", [*values, limit, offset]
    )
    return [Turn.from_row(row) for row in rows]


async def turn_of(reader: Reader, turn_id: int) -> Turn | None:
    """One turn, whole."""
    row = await reader.row(f"SELECT {_COLUMNS.format(reply='reply')} FROM calls WHERE id = ?", (turn_id,))
    return None if row is None else Turn.from_row(row)


async def find_turn(
    reader: Reader, agent: str, needle: str, *, outcome: str = "", beside: int, older: bool
) -> tuple[int, int] | None:
    """The next turn with `needle` in its job, reply or tool calls, older or newer than turn `beside`.

    Goes round at the end. Gives the turn's id and its place in `turns_of`; None where there is none.
    """
    where, values = _where(agent, outcome)
    holds = "(instr(lower(reply), ?) OR instr(lower(tool_calls), ?) OR instr(lower(job), ?))"
    order, beyond = ("DESC", "<") if older else ("ASC", ">")
    row = await reader.row(
        f"SELECT id FROM calls WHERE {where} AND {holds} ORDER BY id {beyond} ? DESC, id {order} LIMIT 1",
        [*values, *[needle.lower()] * 3, beside],
    )
    if row is None:
        return None
    place = await reader.row(f"SELECT count(*) AS n FROM calls WHERE {where} AND id > ?", [*values, row["id"]])
    assert place is not None
    return int(row["id"]), int(place["n"])


async def turns_about(reader: Reader, experiment_id: int, limit: int = 500) -> list[Turn]:
    """The turns of jobs on an experiment, oldest first, whole."""
    rows = await reader.rows(
        f"SELECT {_COLUMNS.format(reply='reply')} FROM calls WHERE experiment_id = ? ORDER BY id LIMIT ?",
        (experiment_id, limit),
    )
    return [Turn.from_row(row) for row in rows]
