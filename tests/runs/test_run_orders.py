"""Orders to a run under way: pause, resume, stop, kill."""

from __future__ import annotations

import asyncio
import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import LabError
from orchestrator.runs import LocalExecutor, Outcome
from orchestrator.runs.progress import read_progress
from tests.runs.stand_ins import LIMITS, ended, in_phase, is_scored, spec_for

ON_THE_WALL_CLOCK = """
import struct
def paused():
    try: return struct.unpack('<d', open(run + '/paused', 'rb').read())[0]
    except FileNotFoundError: return 0.0
begun = time.monotonic()
step = 0
while time.monotonic() - begun - paused() < 1.0:
    step += 1
    note(step=step, loss=1.0)
    time.sleep(0.02)
save()
"""


@pytest.fixture
def executor() -> LocalExecutor:
    return LocalExecutor([])


async def test_a_paused_run_uses_no_budget_on_the_wall_clock(executor: LocalExecutor, tmp_path: Path) -> None:
    """The pause is longer than the budget and every patience together."""
    limits = replace(LIMITS, hang_seconds=1.0, grace_seconds=0.7)
    spec = spec_for(tmp_path, ON_THE_WALL_CLOCK, clock="wall", budget_seconds=1.0, limits=limits)
    directory = Path(spec.run_dir)
    await executor.start(spec)
    await in_phase(executor, spec, "training")
    await executor.pause(directory)
    await in_phase(executor, spec, "paused")
    before, begun = read_progress(directory), time.monotonic()
    while time.monotonic() < begun + 2.5:
        await asyncio.sleep(0.1)
    after = read_progress(directory)
    assert before is not None and after is not None and before.step == after.step, "nothing of it runs"
    await executor.resume(directory)
    note = directory / "out" / "paused"
    while not note.exists():
        await asyncio.sleep(0.01)
    (seconds,) = struct.unpack("<d", note.read_bytes())
    assert 2.4 < seconds < 10
    result = await ended(executor, spec)
    assert is_scored(result)
    assert result.training_seconds is not None and 0.9 < result.training_seconds < 1.8


async def test_a_pause_holds_every_process_of_the_run(executor: LocalExecutor, tmp_path: Path) -> None:
    train = """
if os.fork() == 0:
    os.setsid()
    while True: pass
while not os.path.exists(run + '/go'): time.sleep(0.01)
save()
"""
    spec = spec_for(tmp_path, train, limits=replace(LIMITS, grace_seconds=60))
    directory = Path(spec.run_dir)
    await executor.start(spec)
    while (progress := read_progress(directory)) is None or len(progress.processes) < 2:
        await asyncio.sleep(0.02)
    await executor.pause(directory)
    await in_phase(executor, spec, "paused")
    async with asyncio.timeout(5):  # a signal reaches a process that runs on another core a moment later
        while {state_of(pid) for pid, _ in progress.processes} != {"T"}:
            await asyncio.sleep(0.02)
    (directory / "out" / "go").touch()
    await executor.resume(directory)
    assert is_scored(await ended(executor, spec))


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0]


@pytest.mark.parametrize("now", [False, True])
@pytest.mark.parametrize("paused", [False, True])
async def test_a_run_is_ended_even_when_it_ignores_the_signal_or_is_paused(
    executor: LocalExecutor, tmp_path: Path, now: bool, paused: bool
) -> None:
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nnote(step=1)\nwhile True: print('x' * 1000)"
    spec = spec_for(tmp_path, stubborn, limits=replace(LIMITS, grace_seconds=60))
    await executor.start(spec)
    await in_phase(executor, spec, "training")
    if paused:
        await executor.pause(Path(spec.run_dir))
        await in_phase(executor, spec, "paused")
    await executor.stop(Path(spec.run_dir), now=now)
    result = await ended(executor, spec, 10)
    assert result.outcome is Outcome.KILLED and ("killed" if now else "stopped") in result.reason


async def test_a_stopped_run_may_put_its_things_in_order(executor: LocalExecutor, tmp_path: Path) -> None:
    train = """
def farewell(*_):
    open(harness + '/farewell', 'w').close()
    sys.exit(0)
signal.signal(signal.SIGTERM, farewell)
note(step=1)
time.sleep(60)
"""
    spec = spec_for(tmp_path, train, limits=replace(LIMITS, stop_seconds=20))
    await executor.start(spec)
    await in_phase(executor, spec, "training")
    while (progress := read_progress(Path(spec.run_dir))) is None or progress.step is None:
        await asyncio.sleep(0.02)
    await executor.stop(Path(spec.run_dir), now=False)
    result = await ended(executor, spec, 15)
    assert result.outcome is Outcome.KILLED and result.reason == "stopped on request"
    assert (tmp_path / "run" / "farewell").exists()


async def test_an_order_that_comes_at_once_is_obeyed(executor: LocalExecutor, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "time.sleep(60)")
    await executor.start(spec)
    await executor.stop(Path(spec.run_dir), now=True)
    assert (await ended(executor, spec, 20)).outcome is Outcome.KILLED


async def test_a_run_is_killed_while_it_is_scored(executor: LocalExecutor, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "save()", "import time; time.sleep(60)")
    await executor.start(spec)
    await in_phase(executor, spec, "scoring")
    await executor.stop(Path(spec.run_dir), now=True)
    assert (await ended(executor, spec, 10)).outcome is Outcome.KILLED


async def test_an_order_to_a_run_that_is_over_is_refused_in_words(executor: LocalExecutor, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "save()")
    await executor.start(spec)
    await ended(executor, spec)
    with pytest.raises(LabError, match="ended"):
        await executor.pause(Path(spec.run_dir))
