"""How long a trainer may take, and when it counts as dead: pure rules over what the supervisor sees at each look."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.runs.result import Cut, Outcome
from orchestrator.runs.spec import Limits

IDLE_SHARE = 0.01
"""A core's share of CPU time below which a process only waits: polling uses less, computing far more."""

LEAVING_SECONDS = 10.0
"""Of the run's clock, for a trainer whose weights are kept to come to its end."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen at one look. Seconds count from the trainer's start and stand still in a pause."""

    wall: float
    cpu: float
    appended: bool  # the trainer has written to its curve since the last look


class Deadlines:
    """The time limits of one trainer."""

    def __init__(
        self, budget_seconds: float, clock: str, limits: Limits, program: str = "train.py", scripted: bool = False
    ) -> None:
        """`scripted`: the budget is the time-out of a whole command, not of its training."""
        self._program, self._scripted = program, scripted
        self._budget = budget_seconds
        self._clock = clock
        self._limits = limits
        self._begun: Sight | None = None  # when the budget began
        self._now: Sight = Sight(0.0, 0.0, False)
        self._alive: Sight = Sight(0.0, 0.0, True)  # the last sign of life
        self._saved_at: float | None = None  # seconds of the run's clock
        self._charged = 0.0  # seconds of the budget that were used before it began
        self.startup: float | None = None  # wall seconds
        self.startup_cpu: float | None = None  # CPU seconds

    @property
    def training(self) -> float | None:
        """Seconds of the run's clock from the start of the budget until the weights were saved, or until now."""
        return self._elapsed() if self._saved_at is None else self._saved_at

    def begin(self, sight: Sight) -> float:
        """The budget starts; only the first time counts. Returns the seconds of it that the start-up has used.

        On a CPU slot computing before the budget is free as far as the limits say, and beyond that part of it: what is
        learnt there is paid for. Raises Cut when nothing is left.
        """
        if self._begun is None:
            self._begun = sight
            self.startup, self.startup_cpu = sight.wall, sight.cpu
            self._now = sight
            free = self._limits.free_startup_seconds
            if self._clock == "cpu" and free is not None:
                self._charged = max(0.0, sight.cpu - free)
            if self._charged >= self._budget:
                raise Cut(
                    Outcome.TIME_OUT,
                    f"start-up computed for {sight.cpu:.1f} s, and {free:.1f} s are free by the baseline's: what is"
                    f" beyond counts as training, and nothing of the budget of {self._budget:g} s is left",
                )
        return self._charged

    def note(self, sight: Sight) -> None:
        """Keep account of the clock."""
        self._now = sight

    def save(self, sight: Sight) -> None:
        """Weights are handed over now. Raises Cut when that is too late."""
        self._now = sight
        elapsed = self._elapsed()
        if elapsed is None:
            raise Cut(Outcome.INVALID, "train.py saved a model without starting its budget: no prepare.Budget()")
        if elapsed > self._budget + self._limits.grace_seconds:
            raise self._late()
        self._saved_at = elapsed

    def check(self, sight: Sight) -> None:
        """Raises Cut when a limit is passed."""
        self.check_budget()
        self._check_wall(sight)
        self._check_life(sight)

    def check_budget(self) -> None:
        """Raises Cut when training goes on after the budget."""
        elapsed, allowed = self._elapsed(), self._budget + self._limits.grace_seconds
        if self._saved_at is not None:
            allowed += LEAVING_SECONDS
        if elapsed is not None and elapsed > allowed:
            raise self._late()

    def _late(self) -> Cut:
        if self._scripted:
            told = f"{self._program} was still running after its time-out of {self._budget:g} s"
            return Cut(Outcome.TIME_OUT, f"{told}; target.timeout_seconds in autolab.toml is what it may take")
        grace = self._limits.grace_seconds
        return Cut(Outcome.TIME_OUT, f"training went on more than {grace:g} s over its budget of {self._budget:g} s")

    def _elapsed(self) -> float | None:
        if self._begun is None:
            return None
        cpu = self._clock == "cpu"
        since = self._now.cpu - self._begun.cpu if cpu else self._now.wall - self._begun.wall
        return self._charged + since

    def _check_wall(self, sight: Sight) -> None:
        limits = self._limits
        if self._begun is None:
            if sight.wall > limits.startup_seconds:
                raise Cut(Outcome.TIME_OUT, f"start-up took longer than {limits.startup_seconds:g} s")
            return
        longest = self._budget * limits.wall_factor + limits.startup_seconds
        if sight.wall - self._begun.wall > longest:
            raise Cut(Outcome.TIME_OUT, f"training took longer than {longest:g} s by the wall clock")

    def _check_life(self, sight: Sight) -> None:
        """A sign of life is CPU time used or a line of the curve; without one for long, the run hangs."""
        since = sight.wall - self._alive.wall
        if sight.appended or sight.cpu - self._alive.cpu > IDLE_SHARE * max(1.0, since):
            self._alive = sight
        elif since > self._limits.hang_seconds:
            words = f"{self._program} hung: no step and no computing for {self._limits.hang_seconds:g} s"
            raise Cut(Outcome.HANG, words)
