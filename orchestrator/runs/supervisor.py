"""`python -m orchestrator.runs.supervisor RUN_DIR`: owns one run from its start to its result file.

It lives in a session of its own and outlives the daemon. Everything it needs stands in RUN_DIR/spec.json; what it does
can be read in RUN_DIR: identity.json (whose the run is), status.json (how it goes), metrics.jsonl (the curve, as far as
it makes sense), log, and at last result.json. The trainer writes to RUN_DIR/out alone.
Signals: TERM stops the run gracefully, INT kills it now, USR1 pauses and USR2 resumes it.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from orchestrator.runs import child, claim, family
from orchestrator.runs.attendant import Attendant
from orchestrator.runs.deadlines import Deadlines, Sight
from orchestrator.runs.ending import finish, make_reserve, utc_now
from orchestrator.runs.files import clear_the_way, is_plain, open_up, read_json
from orchestrator.runs.fixed_files import FixedFiles
from orchestrator.runs.foothold import Foothold
from orchestrator.runs.handover import Handover, take_weights
from orchestrator.runs.identity import Identity, identity_of, kill_marked
from orchestrator.runs.metrics import Follower
from orchestrator.runs.orders import Orders
from orchestrator.runs.output import CappedLog
from orchestrator.runs.progress import Progress, write_progress
from orchestrator.runs.provenance import STARTUP_CPU, hash_of_files
from orchestrator.runs.reasons import crash_reason, ends_in_traceback, kernel_kills, ran_out_of_memory
from orchestrator.runs.result import Cut, Outcome, RunResult
from orchestrator.runs.scoring import Score, judge
from orchestrator.runs.spec import RunSpec, read_spec

STATUS_SECONDS = 0.5
MOST_PROCESSES_NOTED = 256


class Supervisor:
    """One run. `run()` does it all; the other methods are its steps."""

    def __init__(self, run_dir: Path, spec: RunSpec, identity: Identity, orders: Orders, foothold: Foothold) -> None:
        self.directory = run_dir
        self.foothold = foothold
        self.spec = spec
        self.identity = identity
        self.phase = "starting"
        self.log = CappedLog(run_dir / "log", spec.limits.log_bytes)
        self.metrics = Follower(child.output(spec) / "metrics.jsonl", kept=run_dir / "metrics.jsonl")
        self.weights = run_dir / spec.weights_file
        self.deadlines = Deadlines(spec.budget_seconds, spec.clock, spec.limits, spec.program, spec.scripted)
        self.fixed = FixedFiles(spec)
        self.attendant = Attendant(spec, self.log, orders, self._show)
        self.started_at = utc_now()
        self._kernel_kills = kernel_kills()
        self._shown: tuple[float, object] = (0.0, None)
        self._met: dict[Identity, None] = {}

    def run(self) -> RunResult:
        """Train, then score (or only score); every way to end gives a result, and no process of the run is left."""
        score: Score | None = None
        exit_code: int | None = None
        scoring: float | None = None
        try:
            child.furnish(self.spec)
            child.output(self.spec).mkdir(exist_ok=True)
            self.fixed.check_before()
            self._show()
            if self.spec.train_command:  # else what was trained before is scored once more
                exit_code = self._train()
                self._check_training(exit_code)
            if self.spec.score_command is None:
                outcome, reason = Outcome.SCORED, "finished"
            else:
                begin = self.attendant.stopwatch.seconds
                score = self._score(self.spec.score_command)
                scoring = self.attendant.stopwatch.seconds - begin
                outcome, reason = Outcome.SCORED, f"scored {score.val_bpb:.4f}"
        except Cut as cut:
            outcome, reason = cut.outcome, cut.reason
        if not family.end_all():
            reason += "; one of its processes cannot be killed"
        curve = self.metrics.curve
        return RunResult(
            outcome=outcome,
            reason=reason,
            val_bpb=score.val_bpb if score is not None else None,
            startup_seconds=self.deadlines.startup,
            training_seconds=self.deadlines.training,
            scoring_seconds=scoring,
            steps=curve.steps,
            tokens=curve.tokens,
            parameters=score.parameters if score is not None else None,
            peak_memory_bytes=self.attendant.peak_memory or None,
            exit_code=exit_code,
            started_at=self.started_at,
            provenance=self._provenance(),
        )

    def _provenance(self) -> dict[str, str]:
        found = {**self.spec.known_facts, **self.fixed.provenance}
        if self.deadlines.startup_cpu is not None:
            found[STARTUP_CPU] = f"{self.deadlines.startup_cpu:.2f}"
        if is_plain(self.weights):
            found["weights"] = hash_of_files([(self.spec.weights_file, self.weights)])
        return found

    # -- training

    def _train(self) -> int:
        """Run the trainer to its end; returns its exit code. Raises Cut when it is ended by a rule or an order."""
        handover = self._handover()
        line = None if handover is None else handover.far
        process = child.start(self.spec, self.spec.train_command, self.spec.worktree, self._environment(), line)

        def rule() -> None:
            appended = self.metrics.look()
            self._check_loss()
            sight = self._sight(appended)
            self.deadlines.note(sight)
            if handover is not None:
                handover.serve(lambda: self._begin(sight), lambda: self.deadlines.save(sight))
            elif self.metrics.curve.started or self.spec.score_command is None:
                self._begin(sight)
            self._check_time(sight)

        try:
            code = self.attendant.attend(process, rule, handover)
        finally:
            if handover is not None:
                handover.close()
        self.metrics.look_to_the_end()
        sight = self._sight(appended=False)
        self.deadlines.note(sight)
        if handover is None and self.metrics.curve.started:
            self.deadlines.begin(sight)
        return code

    def _handover(self) -> Handover | None:
        """The line to a trainer that gets its data from the harness."""
        spec = self.spec
        if spec.train_data is None:
            return None
        saved = child.output(spec) / spec.weights_file
        limits = spec.limits
        try:
            return Handover(Path(spec.train_data), saved, self.weights, limits.output_bytes, limits.free_disk_bytes)
        except OSError as error:
            raise Cut(Outcome.CRASH, f"the train split cannot be handed out ({error})") from error

    def _environment(self) -> dict[str, str]:
        """A sandbox brings the environment of what is in it along."""
        return {} if self.spec.sandbox != "off" else child.environment(self.spec, self.spec.env)

    def _begin(self, sight: Sight) -> float:
        charged = self.deadlines.begin(sight)
        self.phase = "training"
        return charged

    def _sight(self, appended: bool) -> Sight:
        return Sight(self.attendant.stopwatch.seconds, self.attendant.usage.cpu_seconds, appended)

    def _check_time(self, sight: Sight) -> None:
        """What has raised already has crashed, though taking itself apart lasts beyond its time. Raises Cut."""
        try:
            self.deadlines.check(sight)
        except Cut:
            if not ends_in_traceback(self._last_printed()):
                raise
            raise self._crash(exit_code=1) from None

    def _last_printed(self) -> str:
        return self.log.last.decode("utf-8", errors="replace")

    def _check_loss(self) -> None:
        curve = self.metrics.curve
        if curve.not_finite is not None:
            raise Cut(Outcome.NAN, f"the loss became {curve.not_finite} at step {curve.steps}")

    def _check_training(self, exit_code: int) -> None:
        """What a trainer must have done to be scored. Raises Cut."""
        family.end_all()  # nothing that it left behind touches what is judged now
        self._check_loss()
        if exit_code != 0:
            raise self._crash(exit_code)
        self.deadlines.check_budget()
        self.fixed.check_after()
        if self.spec.score_command is None:
            return
        if self.deadlines.training is None:
            raise Cut(Outcome.INVALID, "train.py ended without starting its budget: no prepare.Budget()")
        if self.spec.train_data is None:  # nobody took them when they were saved
            limits = self.spec.limits
            saved = child.output(self.spec) / self.spec.weights_file
            take_weights(saved, self.weights, limits.output_bytes, limits.free_disk_bytes)
        if not is_plain(self.weights):
            raise Cut(Outcome.NO_CHECKPOINT, "train.py ended without saving a model: no prepare.save(model)")

    def _crash(self, exit_code: int) -> Cut:
        last = self._last_printed()
        if ran_out_of_memory(last):
            return Cut(Outcome.OUT_OF_MEMORY, f"ran out of memory: {crash_reason(last, exit_code)}")
        if exit_code == -9:  # the supervisor did not do it: who it kills comes to another end than this
            if self._kernel_kills is not None and kernel_kills() == self._kernel_kills:
                return Cut(Outcome.KILLED, f"{self.spec.program} was killed from outside (SIGKILL)")
            return Cut(Outcome.OUT_OF_MEMORY, "ran out of memory: the kernel killed it (SIGKILL)")
        return Cut(Outcome.CRASH, f"{self.spec.program} crashed: {crash_reason(last, exit_code)}")

    # -- scoring

    def _score(self, command: list[str]) -> Score:
        """Have the trusted scorer judge the weights. Raises Cut when there is no score."""
        self.phase = "scoring"
        self.log.forget_last()
        result = self.directory / self.spec.score_file
        open_up(self.directory)
        for place in (
            result,
            child.home(self.spec),
        ):  # what the trainer put there is neither a score nor a start-up file
            clear_the_way(place)
        child.home(self.spec).mkdir()
        stopwatch, most = self.attendant.stopwatch, self.spec.limits.scoring_seconds
        deadline = stopwatch.seconds + most
        environment = child.environment(self.spec, {"PYTHONNOUSERSITE": "1", **self.spec.score_env})
        process = child.start(self.spec, command, str(self.directory), environment, trusted=True)

        def rule() -> None:
            if stopwatch.seconds > deadline:
                raise Cut(Outcome.TIME_OUT, f"scoring took longer than {most:g} s")

        try:
            code = self.attendant.attend(process, rule)
        except Cut as cut:
            if cut.outcome is not Outcome.CRASH:
                raise
            # Not a crash: of one, a worker gets the end of the log, and now the log may hold what is scored.
            raise Cut(Outcome.INVALID, f"while it was scored: {cut.reason}") from cut
        family.end_all()
        return judge(read_json(result), code, self._last_printed())

    # -- status

    def _show(self) -> None:
        """Raises Cut when the run has tampered with the harness's files, or the lab is gone."""
        attendant, curve = self.attendant, self.metrics.curve
        phase = "paused" if attendant.stopwatch.paused else self.phase
        now = time.monotonic()
        if now < self._shown[0] + STATUS_SECONDS and phase == self._shown[1]:
            return
        self._shown = (now, phase)
        if self.foothold.gone:
            raise Cut(Outcome.KILLED, "the lab's directory is gone")
        training = self.deadlines.training
        progress = Progress(
            phase=phase,
            progress=None if training is None else min(1.0, max(0.0, training / self.spec.budget_seconds)),
            step=curve.steps,
            loss=curve.loss,
            seconds=training,
            memory_bytes=attendant.usage.memory_bytes,
            cpu_seconds=attendant.usage.cpu_seconds,
            processes=self._processes(),
        )
        try:
            tampered = claim.restore(self.directory, self.identity)
            write_progress(self.directory, progress)
        except OSError:
            return  # a full disk costs the display, not the run
        if tampered:
            raise Cut(Outcome.INVALID, f"{self.spec.program} changed the harness's own files in its run's directory")

    def _processes(self) -> tuple[tuple[int, int], ...]:
        """Pid and start time of the run's processes, the latest first, for whoever must clear up after a crash."""
        for identity in self.attendant.usage.living:
            self._met.pop(identity, None)
            self._met[identity] = None
        while len(self._met) > MOST_PROCESSES_NOTED:
            del self._met[next(iter(self._met))]
        return tuple((identity.pid, identity.start_time) for identity in reversed(self._met))


def supervise(run_dir: Path, identity: Identity, orders: Orders, foothold: Foothold) -> RunResult:
    """A fault of the harness is told like any other end, and never leaves a process behind."""
    log: CappedLog | None = None
    try:
        spec = read_spec(run_dir)
        supervisor = Supervisor(run_dir, spec, identity, orders, foothold)
        log = supervisor.log
        result = supervisor.run()
        kill_marked(spec.marker)
    except Exception as error:
        import traceback

        traceback.print_exc()
        family.end_all()
        result = RunResult(Outcome.CRASH, f"the supervisor failed ({type(error).__name__}: {error})")
    if log is not None:
        log.close()
    return result


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: python -m orchestrator.runs.supervisor RUN_DIR", file=sys.stderr)
        return 2
    run_dir = Path(sys.argv[1]).absolute()
    foothold = Foothold(run_dir.parent)
    orders = Orders()
    identity = identity_of(os.getpid())
    assert identity is not None
    family.become_subreaper()
    try:
        if not claim.take(run_dir, identity):
            return claim.TAKEN
    except OSError as error:
        print(f"{run_dir} cannot be written ({error.strerror})", file=sys.stderr)
        return 1
    make_reserve(run_dir)
    return finish(run_dir, identity, supervise(run_dir, identity, orders, foothold), foothold)


if __name__ == "__main__":
    sys.exit(main())
