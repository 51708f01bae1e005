"""What a person ought to look at, found by rule from the store and told once each: events of kind `anomaly`.

Every check derives its finding from what the store holds now, so a restart forgets nothing and repeats nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator

from orchestrator.balance import EXPLORING
from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.evidence import BASELINE_SEEDS
from orchestrator.history import idea_of
from orchestrator.measurement.contest import runs_at_head
from orchestrator.measurement.likeness import baseline_ignores_seed
from orchestrator.measurement.masters import called
from orchestrator.runs import Limits
from orchestrator.store.ablations import ABLATED
from orchestrator.store.records import IN_USE, Decision, Experiment, Level, seconds_since, utc_now
from orchestrator.store.states import RAN, WAITING, State
from orchestrator.team_settings import Team
from orchestrator.views import resting
from orchestrator.watching.finding import Finding, kind_of, window
from orchestrator.watching.giving_up import failing_agents
from orchestrator.watching.idling import awaited
from orchestrator.watching.overtime import overtime
from roles.circuit import State as Circuit
from roles.circuit import circuits

LOOK_SECONDS = 5.0
IDLE_SECONDS = 300.0
"""A slot that has had nothing for so long, while the lab is at work, is told of."""

CRASHES = 3
"""So many crashes alike among the last outcomes are told of."""

RECENT_OUTCOMES = 8
LEAST_FREE_BYTES = 5 * 2**30
FULL_BYTES = 2**30
"""With so little left the disk is as good as full."""

RAISED_EXPLORING = 0.6
STUCK_FACTOR = 2.0
"""A run is stuck that takes so many times as long as its limits allow: its supervisor ought to have ended it."""


class Anomalies:
    """Looks at the lab every few seconds until it is cancelled."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._begun = utc_now()

    async def run(self) -> None:
        while True:
            with contextlib.suppress(LabError):  # the next look tries again
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> int:
        """Tell of everything that is new, and note what is over; returns how many findings are new."""
        told, found = 0, set[str]()
        for check in (
            self._refused,
            self._seedless,
            self._alike,
            self._overtime,
            self._duplicates,
            self._crashes,
            self._failing_agents,
            self._idle,
            self._stuck,
            self._plateau,
            self._endpoints,
            self._disk,
        ):
            async for finding in check():
                told += await self._tell(finding)
                found.add(finding.key)
        await self._context.store.hold_anomalies(found)
        return told

    async def _tell(self, finding: Finding) -> bool:
        store, key = self._context.store, f"anomaly {finding.key}"
        if await store.meta(key) == finding.mark:
            return False
        await store.set_meta(key, finding.mark)
        await store.tell_anomaly(
            "" if finding.lasts else finding.key,
            finding.sentence,
            experiment_id=finding.experiment_id,
            level=finding.level,
        )
        return True

    # -- what is looked for

    async def _refused(self) -> AsyncIterator[Finding]:
        """The harness refused a result: an ignored seed, a tampered file, a model that looks ahead."""
        for row in await self._context.store.rows(
            "SELECT id, attempt, reason FROM experiments WHERE state = 'invalid' ORDER BY updated_at DESC LIMIT 20"
        ):
            sentence = f"the result of experiment {row['id']} was refused: {row['reason']}"
            yield Finding(f"refused {row['id']}", str(row["attempt"]), sentence, row["id"], lasts=True)

    async def _seedless(self) -> AsyncIterator[Finding]:
        """A script whose every run of its baseline is alike: whatever it is measured for, nothing is promoted."""
        target = self._context.settings.optimised()
        if not target.self_reported:
            return  # there nothing new starts, and that is told
        for line in self._context.lines:
            master = await self._context.store.master(line)
            base = await self._context.store.baseline_experiment(master.commit_id) if master is not None else None
            if base is None:
                continue
            ground = base.ground
            runs = [run for run in await runs_at_head(self._context, base) if run.ground == ground]
            ignored = await asyncio.to_thread(baseline_ignores_seed, self._context.lab, runs, self_reported=True)
            if ignored is not None and len(runs) >= BASELINE_SEEDS:
                sentence = (
                    f"nothing can be promoted on {called(line)}, for how far chance goes is not known: {ignored};"
                    f" {target.seeding}, and commit that to {called(line)}"
                )
                yield Finding(f"seedless {line}", str(base.commit_id), sentence, level=Level.ERROR)

    async def _alike(self) -> AsyncIterator[Finding]:
        """Two experiments with the very same score: the patch of one of them does nothing."""
        for row in await self._context.store.rows(
            "SELECT min(r.experiment_id) AS one, max(r.experiment_id) AS other, r.val_bpb FROM runs AS r"
            " JOIN experiments AS e ON e.id = r.experiment_id WHERE r.val_bpb IS NOT NULL"
            " GROUP BY r.val_bpb, r.seed, r.ground HAVING count(DISTINCT e.program) > 1 ORDER BY other DESC LIMIT 20"
        ):
            why = "one of the patches changes nothing that is computed"
            if self._context.settings.optimised().self_reported:
                why += ", or too few digits are printed"
            sentence = (
                f"experiments {row['one']} and {row['other']} score exactly the same ({row['val_bpb']:.6f}) with the"
                f" same seed: {why}"
            )
            yield Finding(f"alike {row['one']} {row['other']}", "1", sentence, row["other"], lasts=True)

    async def _overtime(self) -> AsyncIterator[Finding]:
        if self._context.settings.optimised().self_reported:  # else the budget is the harness's
            for finding in await overtime(self._context.store):
                yield finding

    async def _duplicates(self) -> AsyncIterator[Finding]:
        """What waits repeats another experiment by its title's words or by its very program."""
        store = self._context.store
        rows = await store.rows(
            "SELECT * FROM experiments WHERE id > 0 AND state NOT IN ('dropped', 'given_up', 'rejected', 'killed',"
            " 'lost') ORDER BY id"
        )
        rivals = {team.name for team in self._context.settings.teams_at_work}
        first: dict[str, Experiment] = {}
        for one in map(Experiment.from_row, rows):
            # Teams that compete are to have the same good ideas.
            whose = one.team if one.team in rivals and len(rivals) > 1 else ""
            ideas = [f"idea {idea_of(one.title)}", *([f"program {one.program}"] if one.program else [])]
            keys = [f"{whose} {idea}" for idea in ideas]
            twin = next((first[key] for key in keys if key in first), None)
            asked = one.decision is Decision.NONE and one.reverses is None  # master without its last win was there
            if twin is not None and one.state in WAITING and asked:
                why = "the same program" if one.program and one.program == twin.program else f"{one.title!r}"
                sentence = f"experiment {one.id} ({one.state}) repeats experiment {twin.id} ({twin.state}): {why}"
                yield Finding(f"duplicate {one.id}", f"{twin.id} {one.attempt}", sentence, one.id)
            for key in keys:
                first.setdefault(key, one)

    async def _crashes(self) -> AsyncIterator[Finding]:
        """The last outcomes crash in the same way: the lab is broken, not the ideas."""
        rows = await self._context.store.rows(
            f"SELECT id, state, reason FROM experiments WHERE id > 0 AND state IN ({', '.join('?' for _ in RAN)})"
            " ORDER BY updated_at DESC LIMIT ?",
            [*map(str, RAN), RECENT_OUTCOMES],
        )
        crashed: dict[str, list[int]] = {}
        for row in rows:
            if row["state"] == State.CRASHED:
                crashed.setdefault(kind_of(row["reason"]), []).append(int(row["id"]))
        for kind, ids in crashed.items():
            if len(ids) >= CRASHES:
                told = ", ".join(map(str, sorted(ids)))
                sentence = f"{len(ids)} of the last {len(rows)} outcomes crashed alike (experiments {told}): {kind}"
                yield Finding(f"crashes {kind}", str(min(ids)), sentence)

    async def _failing_agents(self) -> AsyncIterator[Finding]:
        for finding in await failing_agents(self._context.store):
            yield finding

    async def _idle(self) -> AsyncIterator[Finding]:
        """A slot waits although the lab is at work: the agents do not keep up, or nothing is ready."""
        store = self._context.store
        at_rest = len(await resting(store)) == len(self._context.settings.teams_at_work)
        if at_rest or await store.meta("paused") == "yes":
            return
        counts = await store.counts()
        waiting = {state: counts[state] for state in (State.PROPOSED, State.QUEUED, State.PATCHING, State.READY)}
        for slot in await store.slots():
            last = await store.row("SELECT max(ended_at) AS at FROM runs WHERE slot = ?", (slot.name,))
            since = max(self._begun, (last["at"] if last is not None else None) or self._begun)
            if slot.run_id is None and seconds_since(since) > IDLE_SECONDS:
                told = ", ".join(f"{n} {state}" for state, n in waiting.items())
                sentence = f"slot {slot.name} has had nothing to run since {since[11:16]} UTC ({told})"
                if for_what := await awaited(store, waiting):
                    sentence += f": {for_what}"
                if slot.phase == IN_USE:
                    sentence = (
                        f"slot {slot.name} waits since {since[11:16]} UTC for others to leave its GPU ({slot.verdict});"
                        " `share_gpus = true` in autolab.toml uses it all the same"
                    )
                yield Finding(f"idle {slot.name}", since, sentence)

    async def _stuck(self) -> AsyncIterator[Finding]:
        """A run that goes on although its limits are long over: its supervisor does not do its work."""
        run = self._context.settings.run
        factor = Limits().wall_factor if self._context.settings.lab.profile == "cpu" else 1.0
        allowed = run.startup_seconds + factor * run.budget_seconds + run.hang_seconds + run.scoring_seconds
        phases = {slot.run_id: slot.phase for slot in await self._context.store.slots()}
        for one in await self._context.store.runs_underway():
            took = seconds_since(one.started_at)
            if took > STUCK_FACTOR * allowed and phases.get(one.id) != "paused":
                sentence = (
                    f"run {one.id} of experiment {one.experiment_id} holds slot {one.slot} for {took / 60:.0f} minutes,"
                    f" and its limits allow {allowed / 60:.0f}: `autolab kill {one.experiment_id}` frees the slot"
                )
                yield Finding(f"stuck {one.id}", window(), sentence, one.experiment_id)

    async def _plateau(self) -> AsyncIterator[Finding]:
        """No win for a long time: said once for every so many outcomes, and more is given to new directions.

        A win is what the lab merged for its gain: the rule of promotion has found more than noise, which no outcome
        short of it has shown. What a person merged, and what only simplifies, is none. Beside others, a team is
        measured by its own outcomes; alone, by all there are.
        """
        for team in self._context.settings.teams_at_work:
            finding = await self._plateau_of(team)
            if finding is not None:
                yield finding

    async def _plateau_of(self, team: Team) -> Finding | None:
        store, whose = self._context.store, "" if team.alone else f"team {team.name}: "
        master = await store.master(team.line)
        if master is None:
            return None
        table, where = ("team_masters", "team = ?") if team.line else ("masters", "? = ''")
        gained = await store.row(
            f"SELECT max(m.at) AS at FROM {table} AS m JOIN experiments AS e ON e.id = m.experiment_id WHERE {where}"
            f" AND (m.seq = (SELECT min(seq) FROM {table} WHERE {where})"
            " OR (e.decision = '' AND e.promoted_as = ''))",
            (team.line, team.line),
        )
        assert gained is not None
        row = await store.row(
            "SELECT count(*) AS n FROM experiments AS e WHERE id > 0 AND (? OR team = ?) AND state != 'promoted'"
            f" AND state IN ({', '.join('?' for _ in RAN)}) AND EXISTS (SELECT 1 FROM events WHERE experiment_id = e.id"
            f" AND kind = 'state' AND after = e.state AND at > ?) AND NOT {ABLATED}",
            [team.alone, team.name, *map(str, RAN), gained["at"] or master.at],
        )
        assert row is not None
        raised = await store.meta(team.key(EXPLORING))
        if int(row["n"]) < team.plateau:
            if raised:
                told = f"{whose}a win: the usual balance of old and new is back"
                await store.set_meta(team.key(EXPLORING), "", reason=told)
            return None
        if not raised:
            await store.set_meta(team.key(EXPLORING), f"{RAISED_EXPLORING}")
        times = int(row["n"]) // team.plateau
        sentence = (
            f"{whose}no win in the last {times * team.plateau} outcomes: none was merged for its gain, since master"
            f" {master.commit_id[:9]}; {_who_chooses(team)} is asked to give {RAISED_EXPLORING:.0%} of the runs to new"
            " directions"
        )
        return Finding(team.key("plateau"), f"{gained['at']} {times}", sentence)

    async def _endpoints(self) -> AsyncIterator[Finding]:
        """A server of models that does not answer: nobody asks it until a trial succeeds. With none left, no agent can
        work but those that need none."""
        dead = [shown for shown in circuits() if shown.state is not Circuit.CLOSED]
        if dead and len(dead) == len(circuits()):
            told = "; ".join(f"{shown.base_url}: {shown.reason}" for shown in dead)
            sentence = f"no server of models answers ({told}); agents without another model wait"
            addresses = " ".join(shown.base_url for shown in dead)
            yield Finding("endpoints", f"{window()} {addresses}", sentence, level=Level.ERROR)
            return
        for shown in dead:
            sentence = (
                f"{shown.base_url} has failed {shown.failures} times in a row ({shown.reason}); it is tried again"
                f" in {shown.seconds:.0f} s"
            )
            yield Finding(f"endpoint {shown.base_url}", window(), sentence)

    async def _disk(self) -> AsyncIterator[Finding]:
        free = (await asyncio.to_thread(shutil.disk_usage, self._context.lab.root)).free
        if free < LEAST_FREE_BYTES:
            sentence = f"the disk of the lab has {free / 2**30:.1f} GiB left; runs fail without room for their weights"
            level = Level.ERROR if free < FULL_BYTES else None
            yield Finding("disk", f"{free // 2**30}", sentence, level=level)


def _who_chooses(team: Team) -> str:
    return "the planner" if "planner" in team.kind.roles else "the agent that does everything"
