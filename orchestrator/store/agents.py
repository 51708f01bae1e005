"""What is kept of the agents, as records: who they are, what they hand on and are told, and each call of a model."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.store.rows import FromRow


@dataclass(frozen=True, slots=True)
class AgentRow(FromRow):
    """One agent as the control room shows it."""

    name: str
    role: str
    team: str
    model: str
    state: str  # idle, thinking, calling, waiting, paused
    job: str
    experiment_id: int | None
    jobs_done: int
    jobs_failed: int
    tokens_in: int
    tokens_out: int
    updated_at: str
    paused_by: str = ""  # who has paused it: it takes no further step
    rate: float | None = None  # tokens a second of the reply at hand, or of the last one
    since: str = ""  # when it began the job


@dataclass(frozen=True, slots=True)
class Note(FromRow):
    """What an agent hands on: `findings` (reviewer to planner), `report` (reporter to people)."""

    id: int
    at: str
    kind: str
    author: str
    text: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class Letter(FromRow):
    """A person's message to an agent; read once, at its next job."""

    id: int
    at: str
    author: str
    agent: str
    text: str
    read_at: str | None


@dataclass(frozen=True, slots=True)
class StoredCall:
    """One call of a model, as roles.record keeps it, by an agent at a job. Seconds; money in the prices' currency."""

    agent: str
    role: str
    job: str
    experiment_id: int | None
    model: str
    prompt_hash: str
    reply: str
    tool_calls: str  # JSON: [name, arguments] each
    tokens_in: int
    tokens_out: int
    estimated: int  # 1: the server did not count the tokens
    money: float
    seconds: float
    first_token_seconds: float | None
    finish_reason: str
    outcome: str
    troubles: str  # JSON: their names
    team: str = ""
