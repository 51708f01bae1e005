"""What counts against the budget beside the trainer's own loop: its start-up, and children that nobody waits for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.runs import LocalExecutor, Outcome
from orchestrator.runs.deadlines import Deadlines, Sight
from orchestrator.runs.result import Cut
from orchestrator.runs.spec import Limits
from tests.runs.stand_ins import BUDGET, LIMITS, START, result_of, spec_for


def deadlines(free: float | None, clock: str = "cpu") -> Deadlines:
    return Deadlines(10.0, clock, Limits(grace_seconds=0.5, free_startup_seconds=free))


def test_a_start_up_like_the_baselines_is_free() -> None:
    found = deadlines(3.0)
    assert found.begin(Sight(9.0, 2.5, True)) == 0.0
    found.save(Sight(20.0, 12.9, True))
    assert found.training == pytest.approx(10.4) and found.startup_cpu == 2.5


def test_what_a_start_up_computes_beyond_that_is_part_of_the_budget() -> None:
    found = deadlines(3.0)
    assert found.begin(Sight(9.0, 7.0, True)) == pytest.approx(4.0)
    assert found.begin(Sight(10.0, 8.0, True)) == pytest.approx(4.0), "only the first beginning counts"
    found.save(Sight(20.0, 13.4, True))
    assert found.training == pytest.approx(10.4)
    with pytest.raises(Cut, match="over its budget"):
        found.save(Sight(20.0, 13.6, True))


def test_a_start_up_that_uses_the_whole_budget_up_is_told_as_such() -> None:
    with pytest.raises(Cut, match=r"computed for 13.5 s, and 3.0 s are free"):
        deadlines(3.0).begin(Sight(20.0, 13.5, True))


@pytest.mark.parametrize(("free", "clock"), [(None, "cpu"), (3.0, "wall")])
def test_nothing_is_charged_before_a_baseline_or_on_a_gpu(free: float | None, clock: str) -> None:
    assert deadlines(free, clock).begin(Sight(90.0, 80.0, True)) == 0.0


async def test_children_that_the_kernel_buries_are_on_the_account(tmp_path: Path) -> None:
    """Ignoring SIGCHLD has no effect in a sandboxed run on a CPU slot: the time of each child is counted."""
    train = """
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for _ in range(8):
    if os.fork() == 0:
        while time.process_time() < 0.3: pass
        os._exit(0)
    try:
        os.wait()
    except ChildProcessError:
        pass
save()
"""
    start = START.replace('os.environ["RUN_DIR"]', repr(str(tmp_path / "run" / "out"))) + BUDGET
    spec = replace(spec_for(tmp_path, train, start=start, limits=LIMITS), sandbox="bubblewrap")
    result = await result_of(LocalExecutor([]), spec)
    assert result.outcome is Outcome.TIME_OUT and "over its budget" in result.reason
