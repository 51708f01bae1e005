"""`python -m orchestrator.runs.supervisor RUN_DIR`: owns one run from its start to its result file.

It lives in a session of its own and outlives the daemon. Everything it needs stands in RUN_DIR/spec.json; what it does
can be read in RUN_DIR: claim (this run is taken), identity.json (by whom), status.json (how it goes), log, and at last
result.json. Signals: TERM stops the run gracefully, INT kills it now, USR1 pauses and USR2 resumes it.
"""

from __future__ import annotations

import filecmp
import os
import select
import signal
import struct
import subprocess
import sys
import time
import traceback
from dataclasses import asdict
from pathlib import Path

from orchestrator.runs import child, family
from orchestrator.runs.identity import identity_of, kill_marked
from orchestrator.runs.metrics import Follower
from orchestrator.runs.output import CappedLog
from orchestrator.runs.reasons import crash_reason, ran_out_of_memory
from orchestrator.runs.result import Outcome, RunResult, read_json, write_json, write_result
from orchestrator.runs.spec import RunSpec, read_spec

LOOK_SECONDS = 0.1
STATUS_SECONDS = 0.5
DELIVERY_SECONDS = 600.0


class Cut(Exception):
    """The run is ended by its supervisor, with this outcome."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason


class Supervisor:
    """One run. `run()` does it all; the other methods are its steps."""

    def __init__(self, run_dir: Path) -> None:
        self.directory = run_dir
        self.spec: RunSpec = read_spec(run_dir)
        self.log = CappedLog(run_dir / "log", self.spec.limits.log_bytes)
        self.metrics = Follower(run_dir / "metrics.jsonl")
        self.phase = "starting"
        self.reaped_cpu = 0.0  # CPU seconds of descendants that are gone
        self.peak_memory = 0
        self.begun = time.monotonic()
        self.training_began: tuple[float, float] | None = None  # the run's clock and the wall clock at "start"
        self.startup: float | None = None
        self.training: float | None = None
        self.paused_at: float | None = None
        self.paused_total = 0.0
        self._signals: list[int] = []
        self._next_status = 0.0
        self._wakeup, self._waker = os.pipe()
        self._usage = family.Usage(0.0, 0)
        self._looked = 0.0

    # -- clocks

    def wall(self) -> float:
        """Wall seconds since the start, without the time that the run was paused."""
        pause = time.monotonic() - self.paused_at if self.paused_at is not None else 0.0
        return time.monotonic() - self.begun - self.paused_total - pause

    def clock(self) -> float:
        """The run's clock: CPU seconds of all its processes, or wall seconds."""
        return self._usage.cpu_seconds + self.reaped_cpu if self.spec.clock == "cpu" else self.wall()

    # -- the run

    def run(self) -> RunResult:
        """Train, then score; every way to end gives a result."""
        scoring: float | None = None
        score: dict[str, object] = {}
        exit_code: int | None = None
        try:
            self._check_protected("before")
            exit_code = self._train()
            self._check_protected("after")
            self._require_checkpoint()
            self.phase = "scoring"
            begin = self.wall()
            score = self._score()
            scoring = self.wall() - begin
            outcome = Outcome.SCORED
            reason = f"scored {float(str(score['val_bpb'])):.4f}"
        except Cut as cut:
            outcome, reason = cut.outcome, cut.reason
        if not family.end_all():
            reason += "; one of its processes cannot be killed"
        curve = self.metrics.curve
        return RunResult(
            outcome=outcome,
            reason=reason,
            val_bpb=float(str(score["val_bpb"])) if outcome is Outcome.SCORED else None,
            startup_seconds=self.startup,
            training_seconds=self.training,
            scoring_seconds=scoring,
            steps=curve.steps,
            tokens=curve.tokens,
            parameters=int(str(score["parameters"])) if "parameters" in score else None,
            peak_memory_bytes=self.peak_memory or None,
            exit_code=exit_code,
        )

    def _train(self) -> int:
        """Run the trainer to its end. Raises Cut for every end but a good one."""
        process = self._start(self.spec.train_command, self.spec.worktree, self.spec.env)
        life = [self.wall(), 0.0]  # when a sign of life was last seen, and the CPU seconds then

        def watch() -> None:
            if self.metrics.look():
                life[0] = self.wall()
            self._note_start()
            self._check_loss()
            self._check_training_deadlines()
            self._check_life(life)

        code = self._attend(process, watch)
        self.metrics.look()
        self._note_start()
        self._measure(force=True)
        if self.training_began is not None:
            self.training = self.clock() - self.training_began[0]
        self._bury()
        self._check_loss()
        if code != 0:
            last = self.log.last.decode("utf-8", errors="replace")
            if ran_out_of_memory(last, code):
                raise Cut(Outcome.OUT_OF_MEMORY, f"ran out of memory: {crash_reason(last, code)}")
            raise Cut(Outcome.CRASH, f"train.py crashed: {crash_reason(last, code)}")
        return code

    def _score(self) -> dict[str, object]:
        """Have the trusted scorer judge the weights. Raises Cut when there is no score."""
        result = self.directory / "score.json"
        result.unlink(missing_ok=True)  # whatever the trainer put there is not a score
        deadline = self.wall() + self.spec.limits.scoring_seconds
        process = self._start(self.spec.score_command, str(self.directory), self.spec.score_env)

        def watch() -> None:
            if self.wall() > deadline:
                seconds = self.spec.limits.scoring_seconds
                raise Cut(Outcome.TIME_OUT, f"scoring took longer than {seconds:g} s")

        code = self._attend(process, watch)
        self._bury()
        score = read_json(result)
        if score is None:
            last = self.log.last.decode("utf-8", errors="replace")
            if ran_out_of_memory(last, code):
                raise Cut(Outcome.OUT_OF_MEMORY, f"the scorer ran out of memory: {crash_reason(last, code)}")
            raise Cut(Outcome.INVALID, f"the scorer gave no score: {crash_reason(last, code)}")
        if "refused" in score:
            raise Cut(Outcome.INVALID, f"the scorer refused: {score['refused']}")
        if not isinstance(score.get("val_bpb"), float):
            raise Cut(Outcome.INVALID, "the scorer's result holds no score")
        return score

    # -- processes

    def _start(self, command: list[str], directory: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
        try:
            return child.start(self.spec, command, directory, env)
        except OSError as error:
            raise Cut(Outcome.CRASH, f"{command[0]} cannot be started ({error})") from error

    def _attend(self, process: subprocess.Popen[bytes], watch: object) -> int:
        """Take in output, obey signals and keep watch until the process is gone; returns its exit code."""
        assert process.stdout is not None and callable(watch)
        output, open_output = process.stdout.fileno(), True
        while True:
            sources = [self._wakeup, output] if open_output else [self._wakeup]
            readable, _, _ = select.select(sources, [], [], LOOK_SECONDS)
            if output in readable:
                open_output = self._take_output(output)
            if self._wakeup in readable:
                os.read(self._wakeup, 4096)
            self._obey()
            if time.monotonic() - self._looked >= LOOK_SECONDS:
                self._looked = time.monotonic()
                self._measure()
                if self.paused_at is None:
                    watch()
                self._show()
            code = process.poll()
            if code is not None:
                while open_output and self._take_output(output):
                    if not select.select([output], [], [], 0)[0]:
                        break
                process.stdout.close()
                return code

    def _take_output(self, descriptor: int) -> bool:
        """False when nobody can write any more."""
        try:
            piece = os.read(descriptor, 2**16)
        except BlockingIOError:
            return True
        self.log.feed(piece)
        return bool(piece)

    def _measure(self, force: bool = False) -> None:
        self._usage = family.usage()
        self.peak_memory = max(self.peak_memory, self._usage.memory_bytes)
        limit = self.spec.limits.memory_bytes
        if not force and limit is not None and self._usage.memory_bytes > limit:
            raise Cut(Outcome.OUT_OF_MEMORY, f"used more than its {limit / 2**30:g} GiB of memory")

    def _bury(self) -> None:
        """Nothing that the process left behind lives on."""
        family.end_all()
        self.reaped_cpu = 0.0

    # -- rules

    def _check_protected(self, when: str) -> None:
        for path, original in self.spec.protected.items():
            try:
                same = filecmp.cmp(Path(self.spec.worktree) / path, original, shallow=False)
            except OSError:
                same = False
            if not same:
                raise Cut(Outcome.INVALID, f"{path} differs from the installed one {when} the run")

    def _require_checkpoint(self) -> None:
        if not (self.directory / "weights.pt").is_file():
            raise Cut(Outcome.NO_CHECKPOINT, "train.py ended without saving a model: no prepare.save(model)")

    def _note_start(self) -> None:
        if self.training_began is None and self.metrics.curve.started:
            self.startup = self.wall()
            self.training_began = (self.clock(), self.wall())
            self.phase = "training"
        if self.training_began is not None:
            self.training = self.clock() - self.training_began[0]

    def _check_loss(self) -> None:
        curve = self.metrics.curve
        if curve.not_finite is not None:
            raise Cut(Outcome.NAN, f"the loss became {curve.not_finite} at step {curve.steps}")

    def _check_training_deadlines(self) -> None:
        limits, budget = self.spec.limits, self.spec.budget_seconds
        if self.training_began is None:
            if self.wall() > limits.startup_seconds:
                raise Cut(Outcome.TIME_OUT, f"start-up took longer than {limits.startup_seconds:g} s")
            return
        assert self.training is not None
        if self.training > budget + limits.grace_seconds:
            raise Cut(Outcome.TIME_OUT, f"went on {limits.grace_seconds:g} s over its budget of {budget:g} s")
        if self.wall() - self.training_began[1] > budget * limits.wall_factor + limits.startup_seconds:
            raise Cut(Outcome.TIME_OUT, f"took {limits.wall_factor:g} times its budget by the wall clock")

    def _check_life(self, life: list[float]) -> None:
        """A sign of life is CPU time used or a step logged; without one for long, the run hangs."""
        used = self._usage.cpu_seconds
        if abs(used - life[1]) > 0.02:
            life[0], life[1] = self.wall(), used
        elif self.wall() - life[0] > self.spec.limits.hang_seconds:
            raise Cut(Outcome.HANG, f"hung: no sign of life for {self.spec.limits.hang_seconds:g} s")

    # -- orders

    def listen(self) -> None:
        """From here signals are orders."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, lambda number, _: self._signals.append(number))

    def _obey(self) -> None:
        while self._signals:
            match self._signals.pop(0):
                case signal.SIGUSR1:
                    self._pause()
                case signal.SIGUSR2:
                    self._resume()
                case signal.SIGINT:
                    raise Cut(Outcome.KILLED, "killed")
                case signal.SIGTERM:
                    self._end_gracefully()

    def _pause(self) -> None:
        if self.paused_at is None:
            self.paused_at = time.monotonic()
            family.signal_all(signal.SIGSTOP)
            self._show(at_once=True)

    def _resume(self) -> None:
        if self.paused_at is not None:
            self.paused_total += time.monotonic() - self.paused_at
            self.paused_at = None
            temporary = self.directory / ".paused"
            temporary.write_bytes(struct.pack("<d", self.paused_total))
            os.replace(temporary, self.directory / "paused")
            family.signal_all(signal.SIGCONT)
            self._show(at_once=True)

    def _end_gracefully(self) -> None:
        self._resume()
        family.signal_all(signal.SIGTERM)
        deadline = time.monotonic() + self.spec.limits.stop_seconds
        while family.descendants() and time.monotonic() < deadline and signal.SIGINT not in self._signals:
            family.reap()
            time.sleep(0.02)
        raise Cut(Outcome.KILLED, "stopped")

    # -- status

    def _show(self, at_once: bool = False) -> None:
        now = time.monotonic()
        if not at_once and now < self._next_status:
            return
        self._next_status = now + STATUS_SECONDS
        curve, progress = self.metrics.curve, None
        if self.training is not None:
            progress = min(1.0, self.training / self.spec.budget_seconds)
        try:
            write_json(
                self.directory / "status.json",
                {
                    "phase": "paused" if self.paused_at is not None else self.phase,
                    "progress": progress,
                    "step": curve.steps,
                    "loss": curve.loss,
                    "seconds": self.training,
                    "memory_bytes": self._usage.memory_bytes,
                    "cpu_seconds": self._usage.cpu_seconds,
                },
                sync=False,
            )
        except OSError:
            return  # a full disk costs the display, not the run


def claim(run_dir: Path) -> bool:
    """Take a run that is nobody's yet. The engine takes it the same way to call off a start that never came."""
    try:
        os.close(os.open(run_dir / "claim", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
    except FileExistsError:
        return False
    return True


def main() -> int:
    run_dir = Path(sys.argv[1])
    if not claim(run_dir):
        return 3
    identity = identity_of(os.getpid())
    assert identity is not None
    write_json(run_dir / "identity.json", asdict(identity), sync=False)
    family.become_subreaper()
    supervisor = Supervisor(run_dir)
    supervisor.listen()
    try:
        result = supervisor.run()
    except Exception as error:  # a fault of the harness is told like any other end, and never leaves a child behind
        family.end_all()
        traceback.print_exc()
        result = RunResult(Outcome.CRASH, f"the supervisor failed: {type(error).__name__}: {error}")
    kill_marked(supervisor.spec.marker)
    supervisor.log.close()
    return 0 if _deliver(run_dir, result) else 1


def _deliver(run_dir: Path, result: RunResult) -> bool:
    """Write the result; on a full disk try again for a while, so that a finished run is not lost to it."""
    deadline = time.monotonic() + DELIVERY_SECONDS
    while True:
        try:
            write_result(run_dir, result)
            return True
        except OSError:
            if time.monotonic() > deadline:
                traceback.print_exc()
                return False
            time.sleep(1.0)


if __name__ == "__main__":
    sys.exit(main())
