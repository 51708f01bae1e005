"""The agents as rows: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from orchestrator.columns import Column
from orchestrator.store.agents import AgentRow
from orchestrator.store.records import seconds_since
from tui.present import Cell, amount, plain
from tui.tones import Said, Tone

STAYS_SECONDS = 5.0  # so far behind the busiest an agent may be, and its log is still the one that is followed
AT_WORK = ("thinking", "calling", "waiting")
AGENT_SYMBOLS = {"idle": "·", "thinking": "*", "calling": "►", "waiting": "!", "paused": "‖", "pausing": "‖"}
AGENT_TONES = {
    **{"idle": Tone.DIM, "thinking": Tone.LIVE, "calling": Tone.LIVE},
    **dict.fromkeys(("waiting", "paused", "pausing"), Tone.WARN),
}
AGENT_COLUMNS = (
    Column("agent", 10, share=1, most=16),
    Column("state", 10),
    Column("job", 10, share=6),
    Column("tokens/s", 5, right=True, rank=1),
    Column("jobs", 8, right=True, rank=3),
    Column("tokens", 6, right=True, rank=4, above=70),
    Column("model", 12, share=2, most=30, rank=2, above=90),
)


def at_rest(agent: AgentRow) -> AgentRow:
    """An agent whose daemon is gone: whatever it did then, it does nothing now."""
    if agent.state not in AT_WORK:
        return replace(agent, rate=None)
    return replace(agent, state="idle", job=f"was at: {agent.job}", rate=None)


def busiest(agents: Sequence[AgentRow], followed: str | None) -> AgentRow:
    """Whoever was busy last; the one that is followed while it is hardly behind, lest the log leaps about.

    `agents` has at least one.
    """
    last = max(agents, key=lambda agent: agent.updated_at)
    now = next((agent for agent in agents if agent.name == followed), last)
    return last if seconds_since(now.updated_at, last.updated_at) > STAYS_SECONDS else now


def state_of(agent: AgentRow) -> str:
    """Its state, or `pausing` while it finishes the reply at hand."""
    return "pausing" if agent.paused_by and agent.state in AT_WORK else agent.state


def rate(agent: AgentRow) -> str:
    """Tokens a second of the reply at hand, or of the last one while the agent is at work."""
    if agent.rate is None or agent.state not in ("thinking", "calling"):
        return ""
    return f"{amount(round(agent.rate))}/s"


def word_of(agent: AgentRow) -> str:
    """The name with the job first, so that a narrow column cuts the team: `worker-1 specialists`."""
    team, dot, word = agent.name.partition(".")
    return f"{word} {team}" if dot and team == agent.team else agent.name


def agent_cells(agent: AgentRow) -> tuple[Cell, ...]:
    state = state_of(agent)
    job = plain(agent.job)
    if agent.paused_by:
        job = f"by {plain(agent.paused_by)}" + (f"; {job}" if job else "")
    tokens = agent.tokens_in + agent.tokens_out
    return (
        Said(word_of(agent)),
        Said(f"{AGENT_SYMBOLS.get(state, ' ')} {state}", AGENT_TONES.get(state, Tone.PLAIN)),
        Said(job, Tone.DIM if state == "idle" else Tone.PLAIN),
        Said(rate(agent), Tone.LIVE),
        Said(f"{agent.jobs_done} done" if agent.jobs_done else "", Tone.DIM),
        Said(amount(tokens) if tokens else "", Tone.DIM),
        Said(plain(agent.model), Tone.DIM),
    )


def about(agent: AgentRow) -> str:
    """The selected agent's model, and what it has used: what a narrow table has no room for."""
    tokens = agent.tokens_in + agent.tokens_out
    parts = [plain(agent.model), rate(agent), f"{amount(tokens)} tokens" if tokens else ""]
    failed = f"{agent.jobs_failed} given up" if agent.jobs_failed else ""
    return "  ".join(part for part in (*parts, failed) if part)
