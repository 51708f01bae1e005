"""The facts of a lab as frozen records, one per row of `runs.db`. Times are UTC, ISO 8601; sizes are bytes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

from orchestrator.store.rows import FromRow, Row, columns
from orchestrator.store.states import State, beside


def utc_now() -> str:
    """The present as UTC, ISO 8601, to the millisecond: `2026-01-31T02:03:04.567Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_the_minute(at: str) -> str:
    """A moment, as `utc_now` writes it, for people: `2026-01-31 02:03`."""
    return at[:16].replace("T", " ")


def seconds_since(then: str, now: str | None = None) -> float:
    """Seconds from `then` to `now` (the present), both as `utc_now` writes them."""
    end = datetime.fromisoformat(now) if now else datetime.now(UTC)
    return (end - datetime.fromisoformat(then)).total_seconds()


class RunKind(StrEnum):
    BASELINE = "baseline"
    SCREEN = "screen"
    CONFIRM = "confirm"


class Decision(StrEnum):
    """What a person has decided about an experiment beforehand."""

    NONE = ""
    MERGE = "merge"  # as soon as it is measured, whatever it scores


SIMPLIFICATION = "simplification"
"""What a promotion is that shortens the program and leaves the score where it was."""

IN_USE = "in use"
"""The phase of a slot without a run of the lab that others use."""

REVERSAL = "reversal of experiment "
"""How the source of an experiment begins that takes a win out of master, or measures master without it."""

CANCELLED = "cancelled"
"""The kind of the event by which an agent has a run stopped: its reason is the experiment's; `after` names the run."""

CONDITIONS = "conditions"
"""The key in the table `meta` of the hash of the settings that runs are measured under now."""

AT_WORK = "the lab goes to work"
"""The reason of the event that a daemon begins with."""

TOGETHER = "together"
"""An argument of orders that were given at once, for several experiments: the same for all of them."""

VAULT = "vault"
"""The actor of every event that tells of the vault split: no such event reaches an agent."""


class Level(StrEnum):
    """How grave it is what an event tells: `after` of a `lab` or `anomaly` event that is not as its kind."""

    INFO = "info"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Experiment(FromRow):
    """One hypothesis made into one patch on one branch; `val_bpb` is the mean of its valid runs at `commit_id` that
    compare: those on its `ground`."""

    id: int
    title: str
    hypothesis: str
    source: str
    variable: str
    edit: str
    author: str  # "researcher", or "user@host" for a person
    team: str
    state: State
    reason: str
    priority: int
    attempt: int
    parent: str | None  # the commit of master that the branch stands on
    branch: str | None
    commit_id: str | None
    patch: str | None  # a person's unified diff, kept to make new attempts from
    role_model: str  # the model that wrote the patch
    program: str | None  # orchestrator.guard.program_hash of the patched files
    val_bpb: float | None
    delta: float | None  # against the mean of `parent`, negative is better
    created_at: str
    updated_at: str
    decision: Decision = Decision.NONE
    promoted_as: str = ""  # SIMPLIFICATION, or empty for a gain
    line: str = ""  # whose master it is for: a team's own, by the team's name, or the lab's ("")
    ground: str = ""  # where its score was measured (orchestrator.store.scores); "" before there is one
    taken_out_by: int | None = None  # the revert that took this win out of master again
    puts_back: int | None = None  # the win that it brings into master again: the revert of what took it out

    @classmethod
    def from_row(cls, row: Row) -> Experiment:
        values = {name: row[name] for name in columns(cls)}
        values["state"] = State(values["state"])
        values["decision"] = Decision(values["decision"])
        return cls(**values)

    @property
    def label(self) -> str:
        return f"{self.id}" if self.attempt == 1 else f"{self.id}.{self.attempt}"

    @property
    def is_start(self) -> bool:
        """Whether nobody has tried it: the lab's starting point, or a commit of a person's own on a master."""
        return self.branch == "master"

    @property
    def reverses(self) -> int | None:
        """The win that it takes out of master, or measures master without; None for any other experiment."""
        number = self.source.removeprefix(REVERSAL) if self.source.startswith(REVERSAL) else ""
        return int(number) if number.isdecimal() and self.patch is not None else None

    @property
    def is_revert(self) -> bool:
        """Whether it takes a win out of master, or puts one back, by a person's decision: no win of its own."""
        return self.reverses is not None and self.decision is Decision.MERGE

    @property
    def why(self) -> str:
        """The reason, to stand beside the state."""
        return beside(self.state, self.reason)


@dataclass(frozen=True, slots=True)
class Run(FromRow):
    """One execution of one commit with one seed on one slot. `outcome` is null while it runs."""

    id: int
    experiment_id: int
    attempt: int
    kind: RunKind
    seed: int
    commit_id: str
    parent: str | None
    slot: str
    outcome: str | None  # orchestrator.runs.Outcome, or null
    reason: str
    val_bpb: float | None
    startup_seconds: float | None
    training_seconds: float | None
    scoring_seconds: float | None
    steps: int | None
    parameters: int | None
    peak_memory: int | None
    started_at: str
    ended_at: str | None
    device: str  # its kind
    sandbox: str  # what the code that agents wrote ran in: bubblewrap, landlock, off
    tokens: int | None  # seen in training, as the run says
    exit_code: int | None
    provenance: dict[str, str]  # orchestrator.runs.provenance
    void: int = 0  # 1: its attempt was refused as invalid, so what it scored counts nowhere
    conditions: str = ""  # orchestrator.measurement.conditions of the settings that it was measured under
    ground: str = ""  # device and conditions: scores compare on one ground alone

    @classmethod
    def from_row(cls, row: Row) -> Run:
        values = {name: row[name] for name in columns(cls)}
        values["kind"] = RunKind(values["kind"])
        values["provenance"] = json.loads(values["provenance"])
        return cls(**values)

    @property
    def ended(self) -> bool:
        return self.outcome is not None

    @property
    def counts(self) -> bool:
        """Whether it has a score that says something."""
        return self.val_bpb is not None and not self.void


@dataclass(frozen=True, slots=True)
class Event(FromRow):
    """Append-only: what happened, who did it and why, in words."""

    seq: int
    at: str
    actor: str
    kind: str  # state, run, master, lab, agent, command, setting, note, anomaly
    experiment_id: int | None
    run_id: int | None
    before: str | None
    after: str | None
    reason: str

    @property
    def why(self) -> str:
        """The reason, to stand beside the word for what happened."""
        return beside(self.after, self.reason) if self.kind == "state" else self.reason


@dataclass(frozen=True, slots=True)
class Command:
    """A client's request and, once the thing has happened or been refused, the daemon's answer."""

    id: int
    at: str
    actor: str
    verb: str
    arguments: dict[str, Any]
    state: str  # waiting, done, refused
    answer: str
    answered_at: str | None

    @classmethod
    def from_row(cls, row: Row) -> Command:
        values = {name: row[name] for name in columns(cls)}
        try:
            arguments = json.loads(values["arguments"])
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):  # no client of ours writes so: it is no command at all
            return cls(**{**values, "verb": f"{values['verb']} with words that cannot be read", "arguments": {}})
        return cls(**{**values, "arguments": arguments})

    @property
    def underway(self) -> str:
        """The key in `meta` of how often it was begun."""
        return f"command {self.id} underway"

    @property
    def called(self) -> str:
        """What a person calls it: "the kill of experiment 5"."""
        return f"the {self.verb}" + (f" of experiment {self.arguments['id']}" if "id" in self.arguments else "")


@dataclass(frozen=True, slots=True)
class SlotRow(FromRow):
    """One GPU or CPU core: what it runs and what the machine reads of it (null where it cannot be read)."""

    name: str
    device: str
    run_id: int | None
    phase: str  # idle, starting, training, scoring, paused, in use
    progress: float | None  # 0..1 of the budget
    step: int | None
    loss: float | None
    utilisation: float | None  # 0..1
    memory_used: int | None
    memory_total: int | None
    temperature: float | None  # degrees Celsius
    power: float | None  # watts
    updated_at: str
    verdict: str = ""  # early stopping, of the run so far; of a slot in use, how others use it


@dataclass(frozen=True, slots=True)
class Master(FromRow):
    """One commit that `master` stood on, and the experiment whose runs are its baseline."""

    seq: int
    commit_id: str
    experiment_id: int
    at: str


class Finished(IntEnum):
    """Whether a condemned run is finished all the same."""

    NO = 0
    DRAWN = 1  # for the audit
    SPARED = 2  # as all are while the rule is suspended


@dataclass(frozen=True, slots=True)
class CondemnedRow(FromRow):
    """A screening run that early stopping saw no hope for."""

    run_id: int
    at: str
    share: float  # of the budget, where it was condemned
    audited: int  # whether it is finished all the same, to see how it ends: one of Finished
    reason: str
    seconds_saved: float  # of its budget


@dataclass(frozen=True, slots=True)
class VaultScore(FromRow):
    """What the kept weights of a run score on the vault split: for people, never for agents."""

    run_id: int
    state: str  # scoring, again, scored, unscored
    attempt: int
    failures: int
    slot: str  # the GPU that it holds meanwhile; empty on CPU slots, of which it holds none
    bpb: float | None
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class Earlier(FromRow):
    """An imported result: another tool measured it elsewhere, so it is no experiment of this lab."""

    id: int
    commit_id: str
    score: float | None  # null for a crash
    memory_gb: float
    status: str  # orchestrator.history.Status
    description: str
    origin: str  # the file's name
    imported_at: str
