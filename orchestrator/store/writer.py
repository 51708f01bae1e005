"""The daemon's pen: every change of lab state is one transaction that also writes an event with the reason."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.runs.log_text import in_one_line, inert
from orchestrator.store.attempts import AttemptBook
from orchestrator.store.records import CONDITIONS, Decision, Experiment, Run, RunKind, utc_now
from orchestrator.store.states import IllegalMove, State, check_move


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
class Place:
    """Where a run happens: the slot, the kind of its device, and the sandbox around what agents wrote."""

    slot: str
    device: str
    sandbox: str


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
    tokens: int | None = None
    exit_code: int | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)


class Writer(AttemptBook):
    """The one writer of a lab (the daemon holds the lab's lock). Serialises its own transactions."""

    async def set_meta(self, key: str, value: str, *, actor: str = "autolab", reason: str = "") -> None:
        """Set a fact of the lab; with `reason`, an event tells of it."""
        async with self._change():
            await self._do("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))
            if reason:
                await self._event("lab", actor, reason)

    # -- experiments

    async def add_start(
        self, commit_id: str, title: str, reason: str, actor: str = "autolab", *, line: str = ""
    ) -> Experiment:
        """A commit of a master that no experiment of this lab made: the start (id 0), or a person's own commit."""
        async with self._change():
            first = await self.row("SELECT 1 FROM experiments WHERE id = 0") is None
            experiment_id = await self._insert(
                Proposal(title, reason, actor), State.PROMOTED, reason, actor, "none", 0, 0 if first else None
            )
            await self._do(
                "UPDATE experiments SET branch = 'master', commit_id = ?, line = ? WHERE id = ?",
                (commit_id, line, experiment_id),
            )
            await self._master(commit_id, experiment_id, actor, reason, line)
        return await self._known(experiment_id)

    async def add_experiment(
        self,
        proposal: Proposal,
        *,
        author: str,
        team: str,
        priority: int = 0,
        state: State = State.PROPOSED,
        decision: Decision = Decision.NONE,
        line: str = "",
    ) -> Experiment:
        """A new experiment, `proposed` (or `queued`, for a person's own), for the master of `line`."""
        async with self._change():
            reason = f"proposed by {author}"
            experiment_id = await self._insert(proposal, state, reason, author, team, priority, None)
            await self._do(
                "UPDATE experiments SET decision = ?, line = ? WHERE id = ?", (decision, line, experiment_id)
            )
            made = await self._known(experiment_id)
            undone = await self._known(made.reverses) if made.reverses is not None and made.is_revert else None
            if undone is not None and undone.is_revert:
                await self._do("UPDATE experiments SET puts_back = ? WHERE id = ?", (undone.reverses, experiment_id))
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
                in_one_line(proposal.title),
                inert(proposal.hypothesis),
                in_one_line(proposal.source),
                inert(proposal.variable),
                inert(proposal.edit),
                proposal.patch,
                author,
                team,
                state,
                inert(reason),
                priority,
                now,
                now,
            ),
        )
        new_id = new_id if experiment_id is None else experiment_id
        await self._event("state", author, reason, experiment_id=new_id, after=state)
        return new_id

    async def move(
        self,
        experiment_id: int,
        after: State,
        reason: str,
        *,
        actor: str = "autolab",
        only_from: State | None = None,
        **changes: Any,
    ) -> Experiment:
        """Take an experiment to another state, with `changes` to its columns, in one transaction.

        Raises IllegalMove when the chart has no such arrow, or the experiment is no longer in the state `only_from`.
        """
        async with self._change():
            if only_from is not None and (now := (await self._known(experiment_id)).state) is not only_from:
                raise IllegalMove(f"experiment {experiment_id} is {now} by now, no longer {only_from}")
            await self._move(experiment_id, after, reason, actor, changes)
        return await self._known(experiment_id)

    async def _move(
        self, experiment_id: int, after: State, reason: str, actor: str, changes: dict[str, Any] | None = None
    ) -> None:
        before = (await self._known(experiment_id)).state
        check_move(before, after)
        values = {**_inert(changes or {}), "state": after, "reason": inert(reason), "updated_at": utc_now()}
        columns = ", ".join(f"{column} = ?" for column in values)
        await self._do(f"UPDATE experiments SET {columns} WHERE id = ?", [*values.values(), experiment_id])
        if after is State.INVALID:
            await self._do(
                "UPDATE runs SET void = 1 WHERE experiment_id = ?"
                " AND attempt = (SELECT attempt FROM experiments WHERE id = ?)",
                (experiment_id, experiment_id),
            )
        if after is State.INVALID or "commit_id" in values or "parent" in values:
            await self._rescore(experiment_id)
        await self._event("state", actor, reason, experiment_id=experiment_id, before=before, after=after)

    async def annotate(self, experiment_id: int, reason: str, *, actor: str, **changes: Any) -> None:
        """Change columns of an experiment that stays in its state, with an event that says why."""
        async with self._change():
            values = {**_inert(changes), "updated_at": utc_now()}
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

    async def begin_run(self, experiment: Experiment, kind: RunKind, seed: int, place: Place, commit_id: str) -> Run:
        """A run takes a slot; a `ready` experiment is `running` from here."""
        async with self._change():
            run_id = await self._do(
                "INSERT INTO runs (experiment_id, attempt, kind, seed, commit_id, parent, slot, device, sandbox,"
                " conditions, reason, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?)",
                (
                    experiment.id,
                    experiment.attempt,
                    kind,
                    seed,
                    commit_id,
                    experiment.parent,
                    place.slot,
                    place.device,
                    place.sandbox,
                    await self.meta(CONDITIONS),
                    utc_now(),
                ),
            )
            reason = f"{kind} run {run_id} with seed {seed} starts on {place.slot}"
            await self._event("run", "autolab", reason, experiment_id=experiment.id, run_id=run_id, after="running")
            if kind is RunKind.SCREEN:
                await self._move(experiment.id, State.RUNNING, reason, "autolab")
            await self._do("UPDATE slots SET run_id = ?, phase = 'starting' WHERE name = ?", (run_id, place.slot))
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
                " scoring_seconds = ?, steps = ?, parameters = ?, peak_memory = ?, tokens = ?, exit_code = ?,"
                " provenance = ?, ended_at = ? WHERE id = ?",
                (
                    measured.outcome,
                    inert(measured.reason),
                    measured.val_bpb,
                    measured.startup_seconds,
                    measured.training_seconds,
                    measured.scoring_seconds,
                    measured.steps,
                    measured.parameters,
                    measured.peak_memory,
                    measured.tokens,
                    measured.exit_code,
                    json.dumps(dict(measured.provenance)),
                    utc_now(),
                    run_id,
                ),
            )
            await self._do(
                "UPDATE slots SET run_id = NULL, phase = 'idle', progress = NULL, step = NULL, loss = NULL,"
                " verdict = '' WHERE run_id = ?",
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

    # -- promotion

    async def promote(
        self, experiment_id: int, master: str, reason: str, *, actor: str = "autolab", promoted_as: str = ""
    ) -> Experiment:
        """The experiment's master stands on the merge commit `master` now, measured by this experiment's runs."""
        async with self._change():
            await self._move(experiment_id, State.PROMOTED, reason, actor, {"promoted_as": promoted_as})
            merged = await self._known(experiment_id)
            if merged.is_revert:
                await self._take_out(merged)
            await self._master(master, experiment_id, actor, reason, merged.line)
        return await self._known(experiment_id)

    async def _take_out(self, revert: Experiment) -> None:
        """Master has lost what the revert reverses; what that had itself taken out is in master again."""
        await self._do("UPDATE experiments SET taken_out_by = ? WHERE id = ?", (revert.id, revert.reverses))
        await self._do("UPDATE experiments SET taken_out_by = NULL WHERE taken_out_by = ?", (revert.reverses,))

    async def adopt_master(
        self, commit_id: str, experiment_id: int, reason: str, *, actor: str = "a person", line: str = ""
    ) -> None:
        """A master stands on a commit whose target was measured already."""
        async with self._change():
            await self._master(commit_id, experiment_id, actor, reason, line)

    async def _master(self, commit_id: str, experiment_id: int, actor: str, reason: str, line: str) -> None:
        if line:
            await self._do(
                "INSERT INTO team_masters (team, commit_id, experiment_id, at) VALUES (?, ?, ?, ?)",
                (line, commit_id, experiment_id, utc_now()),
            )
        else:
            await self._do(
                "INSERT INTO masters (commit_id, experiment_id, at) VALUES (?, ?, ?)",
                (commit_id, experiment_id, utc_now()),
            )
        await self._event("master", actor, reason, experiment_id=experiment_id, after=commit_id)


def _inert(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of an experiment, without what would steer a terminal; a patch is kept to the letter."""
    said = ("title", "hypothesis", "source", "variable", "edit")
    return {name: inert(value) if name in said else value for name, value in changes.items()}
