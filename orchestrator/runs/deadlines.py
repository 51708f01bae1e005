"""How long a trainer may take, and when it counts as dead: pure rules over what the supervisor sees at each look."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.runs.metrics import Curve
from orchestrator.runs.result import Cut, Outcome
from orchestrator.runs.spec import Limits

IDLE_SHARE = 0.01
"""A core's share of CPU time below which a process only waits: polling uses less, computing far more."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen at one look. Seconds count from the trainer's start and stand still in a pause."""

    wall: float
    cpu: float
    appended: bool  # the trainer has written to its curve since the last look


class Deadlines:
    """The time limits of one trainer."""

    def __init__(self, budget_seconds: float, clock: str, limits: Limits) -> None:
        self._budget = budget_seconds
        self._clock = clock
        self._limits = limits
        self._begun: Sight | None = None  # when the budget began
        self._alive: Sight = Sight(0.0, 0.0, True)  # the last sign of life
        self.startup: float | None = None  # wall seconds
        self.training: float | None = None  # seconds of the run's clock

    def note(self, sight: Sight, curve: Curve) -> None:
        """Keep account of start-up and training."""
        if self._begun is None and curve.started:
            self._begun = sight
            self.startup = sight.wall
        if self._begun is not None:
            now, then = (sight.cpu, self._begun.cpu) if self._clock == "cpu" else (sight.wall, self._begun.wall)
            self.training = now - then

    def check(self, sight: Sight) -> None:
        """Raises Cut when a limit is passed."""
        self.check_budget()
        self._check_wall(sight)
        self._check_life(sight)

    def check_budget(self) -> None:
        grace = self._limits.grace_seconds
        if self.training is not None and self.training > self._budget + grace:
            raise Cut(Outcome.TIME_OUT, f"training went on more than {grace:g} s over its budget of {self._budget:g} s")

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
            raise Cut(Outcome.HANG, f"train.py hung: no step and no computing for {self._limits.hang_seconds:g} s")
