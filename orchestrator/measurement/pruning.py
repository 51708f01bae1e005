"""Early stopping at work: every running screen is judged at every checkpoint, and what has no hope left is ended.

The store is written first and the run is ended after it, so that a daemon killed in between ends it at its next look.
What a run may be condemned for is learnt in orchestrator.stopping; nothing here decides that.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

from orchestrator.context import Context
from orchestrator.errors import LabError
from orchestrator.measurement.recorded import Recorded, baseline_runs, curve_so_far, recorded_rows
from orchestrator.runs import Outcome, Running
from orchestrator.stopping import (
    CHECKPOINTS,
    Audit,
    Condemned,
    Judgement,
    Record,
    Rule,
    Verdict,
    judge,
    learn,
    take_stock,
)
from orchestrator.store.records import CondemnedRow, Decision, Finished, Run, RunKind
from orchestrator.store.writer import Measurement
from orchestrator.views import EARLY_STOPPING, EARLY_STOPPING_SHORT


class Pruning:
    """Ends the screens that cannot catch up any more, and keeps count of what that saves and destroys."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._recorded = Recorded()
        self._stands: dict[str, tuple[tuple[float, ...], Rule, Audit]] = {}  # by ground
        self._judged: dict[int, float] = {}  # run -> the checkpoint that it was judged at last
        self._ordered: set[int] = set()  # runs that were told to end

    @property
    def _at_work(self) -> bool:
        """A script's curve has no losses that could be compared."""
        return self._context.settings.early_stopping.enabled and self._context.settings.target.kind == "nanogpt"

    # -- runs under way

    async def look(self, run: Run, running: Running) -> None:
        """Judge a run at the checkpoint that it has just passed; end it if it was condemned."""
        if run.kind is not RunKind.SCREEN or running.phase != "training" or not self._at_work:
            return
        row = await self._condemned(run.id)
        if row is None and self._is_due(run, running):
            row = await self._judge(run)
        if row is not None and not row.audited and run.id not in self._ordered:
            self._ordered.add(run.id)
            with contextlib.suppress(LabError):  # it has just ended by itself
                await self._context.executor.stop(self._context.lab.run_directory(run.id), now=True)

    def _is_due(self, run: Run, running: Running) -> bool:
        passed = [share for share in CHECKPOINTS if share <= (running.progress or 0.0)]
        return bool(passed) and passed[-1] > self._judged.get(run.id, 0.0)

    async def _judge(self, run: Run) -> CondemnedRow | None:
        context, settings = self._context, self._context.settings.early_stopping
        if await self._asked_for_again(run) or await self._only_to_be_known(run):
            self._judged[run.id] = 1.0
            return None
        rule, audit = await self._standing(run.ground)
        beside = await baseline_runs(context, run)
        curve = await asyncio.to_thread(curve_so_far, context.lab, run.id)
        baseline = await asyncio.to_thread(lambda: [self._recorded.curve(context.lab, one) for one in beside])
        verdict = judge(
            curve,
            baseline,
            rule,
            audit,
            lab_id=(await context.store.masters())[0].commit_id,
            run_id=run.id,
            audited_part=settings.audited,
        )
        self._judged[run.id] = max((share for share in CHECKPOINTS if share <= curve.reached), default=0.0)
        await context.store.set_slot(run.slot, verdict=_in_short(verdict, rule))
        finished = _finished(verdict.judgement)
        return await self._condemn(run, verdict, finished) if finished is not None else None

    async def _condemn(self, run: Run, verdict: Verdict, finished: Finished) -> CondemnedRow | None:
        assert verdict.gap is not None
        await self._context.store.condemn(run, verdict.gap.share, verdict.sentence, finished)
        return await self._condemned(run.id)

    async def _condemned(self, run_id: int) -> CondemnedRow | None:
        row = await self._context.store.row("SELECT * FROM condemned WHERE run_id = ?", (run_id,))
        return None if row is None else CondemnedRow.from_row(row)

    async def _only_to_be_known(self, run: Run) -> bool:
        """Whether the score is wanted whatever it is: a person has decided on the experiment already, or asks what
        master is without a win."""
        experiment = await self._context.store.experiment(run.experiment_id)
        return experiment is not None and (experiment.decision is not Decision.NONE or experiment.reverses is not None)

    async def _asked_for_again(self, run: Run) -> bool:
        """Whether an earlier attempt was condemned: a person who requeues it wants to see its end."""
        row = await self._context.store.row(
            "SELECT 1 FROM condemned JOIN runs ON runs.id = condemned.run_id WHERE runs.experiment_id = ?"
            " AND runs.attempt < ?",
            (run.experiment_id, run.attempt),
        )
        return row is not None

    # -- runs that have ended

    async def outcome(self, run: Run, measured: Measurement) -> Measurement:
        """What came of a run, by early stopping's account: killed because it was condemned is `pruned`."""
        row = await self._condemned(run.id)
        if row is None:
            return measured
        ended_by_it = measured.outcome == Outcome.KILLED and not row.audited
        trained = measured.training_seconds or row.share * self._context.settings.run.budget_seconds
        saved = max(0.0, self._context.settings.run.budget_seconds - trained) if ended_by_it else 0.0
        finished = Finished(row.audited) or (Finished.NO if ended_by_it else Finished.DRAWN)
        await self._context.store.close_condemned(run.id, finished, saved)
        if not ended_by_it:
            return measured
        return replace(measured, outcome=str(Outcome.PRUNED), reason=f"stopped early: {row.reason}")

    async def keep_account(self, ground: str) -> None:
        """Bring the account up to date after a run has ended, for people to read."""
        if not self._at_work:
            return
        rule, audit = await self._standing(ground)
        sentence = audit.sentence
        if rule.silent is not None:
            sentence = f"nothing is condemned yet: {rule.silent}" + (f"; {sentence}" if audit.condemned else "")
        if await self._context.store.meta(EARLY_STOPPING) != sentence:
            await self._context.store.set_meta(EARLY_STOPPING, sentence)
            await self._context.store.set_meta(EARLY_STOPPING_SHORT, audit.short if audit.condemned else "")

    # -- the rule

    async def _standing(self, ground: str) -> tuple[Rule, Audit]:
        """The rule and the audit as the runs that have ended by now make them, learnt anew only when there are more."""
        store = self._context.store
        found = await store.row(
            "SELECT count(*) AS runs, max(id) AS newest FROM runs WHERE outcome IS NOT NULL AND ground = ?", (ground,)
        )
        assert found is not None
        settings, lab = self._context.settings.early_stopping, self._context.lab
        state = (int(found["runs"]), int(found["newest"] or 0), settings.limit, settings.audited)
        known = self._stands.get(ground)
        if known is None or known[0] != state:
            rows, docket = await recorded_rows(self._context, ground), await self._docket(ground)
            records = await asyncio.to_thread(self._recorded.of, lab, rows, 1 / settings.audited)
            rule = await asyncio.to_thread(learn, records, settings.limit)
            audit = take_stock(_with_ends(docket, records), rule, settings.audited, settings.limit)
            known = self._stands[ground] = (state, rule, audit)
        return known[1], known[2]

    async def _docket(self, ground: str) -> list[CondemnedRow]:
        rows = await self._context.store.rows(
            "SELECT condemned.* FROM condemned JOIN runs ON runs.id = condemned.run_id WHERE runs.ground = ?"
            " AND runs.outcome IS NOT NULL ORDER BY run_id",
            (ground,),
        )
        return [CondemnedRow.from_row(row) for row in rows]


def _finished(judgement: Judgement) -> Finished | None:
    """Whether a run that was judged so is finished although it is condemned; None: it is not condemned."""
    match judgement:
        case Judgement.STOPPED:
            return Finished.NO
        case Judgement.AUDITED:
            return Finished.DRAWN
        case Judgement.SPARED:
            return Finished.SPARED
        case Judgement.GOES_ON:
            return None


def _in_short(verdict: Verdict, rule: Rule) -> str:
    """For the slot's line: how far behind, and how far it may be."""
    if verdict.gap is None:
        return "learning" if rule.silent is not None else "not judged yet"
    margin = rule.margin_at(verdict.gap.share)
    allowed = "no margin yet" if margin is None else f"of {margin.gap:.3f} allowed"
    judged = "" if verdict.judgement is Judgement.GOES_ON else f"{verdict.judgement}: "
    return f"{judged}{verdict.gap.size:+.3f} {allowed}"


def _with_ends(docket: list[CondemnedRow], records: list[Record]) -> list[Condemned]:
    """The condemned, with how the audited ones ended, as far as they are on record."""
    came_back = {record.run_id: record.came_back for record in records}
    return [
        Condemned(row.run_id, bool(row.audited), came_back.get(row.run_id) if row.audited else None, row.seconds_saved)
        for row in docket
    ]
