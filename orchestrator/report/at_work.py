"""Agents that are at a job: what each does, since when, on which model, and how its last call of that model ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.store.agents import AgentRow
from orchestrator.store.calls import Turn, turns_of
from orchestrator.store.reader import Reader
from orchestrator.store.records import seconds_since
from roles.record import Outcome

RESTING = ("idle", "paused")


@dataclass(frozen=True, slots=True)
class AtWork:
    """An agent at its job; `last` is the last call of a model that ended in it, None before there is one."""

    agent: AgentRow
    last: Turn | None

    @property
    def model(self) -> str:
        return self.last.model if self.last is not None else self.agent.model

    @property
    def told(self) -> str:
        """In a few words, the agent's name first."""
        agent = self.agent
        if agent.state == "waiting" and self.last is None:
            return f"{agent.name} waits{_since(agent)}: {agent.job or 'for the result of its experiment'}"
        if agent.state == "waiting":
            return f"{agent.name} waits {agent.job}, at its job{_since(agent)}, on {self.model}: {self._came}"
        return f"{agent.name}: {agent.job or agent.state}{_since(agent)}, on {self.model}: {self._came}"

    @property
    def _came(self) -> str:
        """How its last call of the model ended."""
        last = self.last
        if last is None:
            return "no reply yet"
        ended = last.reply if last.outcome == Outcome.FAILED else last.outcome
        troubles = f" ({', '.join(one.replace('_', ' ') for one in last.troubles)})" if last.troubles else ""
        return f"its last call, {span(last.at)} ago: {ended}{troubles}"

    def as_json(self) -> dict[str, Any]:
        agent, last = self.agent, self.last
        return {
            "name": agent.name,
            "role": agent.role,
            "team": agent.team,
            "state": agent.state,
            "job": agent.job,
            "experiment": agent.experiment_id,
            "since": agent.since or None,
            "model": self.model,
            "last": None if last is None else {"at": last.at, "outcome": last.outcome, "troubles": list(last.troubles)},
        }


async def at_work(reader: Reader) -> list[AtWork]:
    """Every agent that is at a job, or waits for its next try, by name."""
    busy = [agent for agent in await reader.agents() if agent.state not in RESTING]
    return [AtWork(agent, await _last_call(reader, agent)) for agent in busy]


async def _last_call(reader: Reader, agent: AgentRow) -> Turn | None:
    """The last that ended in the job at hand."""
    found = await turns_of(reader, agent.name, limit=1)
    return next((turn for turn in found if agent.since and turn.at >= agent.since), None)


def _since(agent: AgentRow) -> str:
    return f" for {span(agent.since)}" if agent.since else ""


def span(then: str) -> str:
    """From `then` (UTC, ISO 8601) to now."""
    seconds = seconds_since(then)
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
