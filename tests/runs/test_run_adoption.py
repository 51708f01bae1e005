"""Daemons and supervisors killed at any instant: no run is lost that ended, none is run twice, no process is left."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.errors import LabError
from orchestrator.runs import Ended, LocalExecutor, Lost, NeverStarted, Outcome, Running, RunResult, RunSpec
from orchestrator.runs.claim import TAKEN, Unowned, call_off, owner, take
from orchestrator.runs.identity import Identity, alive, identity_of, kill_marked, marked_processes, send
from orchestrator.runs.result import write_result
from orchestrator.runs.spec import write_spec
from tests.runs.stand_ins import is_scored, result_of, settled, spec_for, supervisor_of, until_there

DAEMON = """
import asyncio, sys, time
from pathlib import Path
from orchestrator.runs import LocalExecutor
from orchestrator.runs.spec import read_spec
spec = read_spec(Path(sys.argv[1]))
print('ready', flush=True)
sys.stdin.readline()
asyncio.run(LocalExecutor([]).start(spec))
print('started', flush=True)
time.sleep(60)
"""


@pytest.fixture
def executor() -> LocalExecutor:
    return LocalExecutor([])


def daemon_for(spec: RunSpec) -> subprocess.Popen[bytes]:
    """A process that starts the run when it is told to go on."""
    write_spec(spec)
    daemon = subprocess.Popen(
        [sys.executable, "-c", DAEMON, spec.run_dir], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert daemon.stdout is not None and daemon.stdout.readline() == b"ready\n"
    return daemon


def go_on(daemon: subprocess.Popen[bytes]) -> None:
    assert daemon.stdin is not None
    daemon.stdin.write(b"\n")
    daemon.stdin.flush()


def kill(daemon: subprocess.Popen[bytes]) -> None:
    daemon.kill()
    daemon.communicate()


async def test_a_new_executor_adopts_a_run_whose_daemon_was_killed(executor: LocalExecutor, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "while not os.path.exists(run + '/go'): time.sleep(0.01)\nsave()")
    daemon = daemon_for(spec)
    go_on(daemon)
    assert daemon.stdout is not None and daemon.stdout.readline() == b"started\n"
    kill(daemon)
    assert isinstance(await executor.status(Path(spec.run_dir)), Running)
    while not (tmp_path / "run" / "out").exists():
        await asyncio.sleep(0.02)
    (tmp_path / "run" / "out" / "go").touch()
    status = await settled(executor, spec)
    assert isinstance(status, Ended) and is_scored(status.result)


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.1, 0.25])
async def test_a_daemon_killed_while_it_starts_a_run_leaves_one_run_or_none(
    executor: LocalExecutor, tmp_path: Path, delay: float
) -> None:
    spec = spec_for(tmp_path, "open(harness + '/ran', 'a').write('once ')\nsave()")
    daemon = daemon_for(spec)
    go_on(daemon)
    killed_at = time.monotonic() + delay
    while time.monotonic() < killed_at:
        time.sleep(0.001)
    kill(daemon)
    ran = tmp_path / "run" / "ran"
    match await settled(executor, spec):
        case Ended(result=result):
            assert is_scored(result) and ran.read_text() == "once "
        case NeverStarted():
            assert isinstance(await executor.status(Path(spec.run_dir)), NeverStarted), "and that is for good"
            late = subprocess.run([sys.executable, "-m", "orchestrator.runs.supervisor", spec.run_dir], check=False)
            assert late.returncode == TAKEN and not ran.exists()
        case other:
            raise AssertionError(other)


async def test_a_supervisor_that_comes_late_finds_the_run_called_off(executor: LocalExecutor, tmp_path: Path) -> None:
    """Spawned, and held up before it could take the run."""
    spec = spec_for(tmp_path, "save()")
    write_spec(spec)
    late = subprocess.Popen([sys.executable, "-m", "orchestrator.runs.supervisor", spec.run_dir])
    late.send_signal(signal.SIGSTOP)
    assert isinstance(await executor.status(Path(spec.run_dir)), NeverStarted)
    late.send_signal(signal.SIGCONT)
    assert late.wait(30) == TAKEN
    assert not (tmp_path / "run" / "log").exists()
    assert isinstance(await LocalExecutor([]).status(Path(spec.run_dir)), NeverStarted), "also for the next daemon"
    with pytest.raises(LabError):
        await executor.start(spec)


async def test_a_run_whose_directory_was_never_made_never_started(executor: LocalExecutor, tmp_path: Path) -> None:
    assert isinstance(await executor.status(tmp_path / "run"), NeverStarted)
    assert not (tmp_path / "run").exists()


async def test_a_supervisor_killed_as_soon_as_it_took_the_run_leaves_nothing(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    spec = spec_for(tmp_path, "time.sleep(60)")
    write_spec(spec)
    supervisor = subprocess.Popen([sys.executable, "-m", "orchestrator.runs.supervisor", spec.run_dir])
    await until_there(tmp_path / "run" / "identity.json")
    supervisor.kill()
    assert isinstance(await settled(executor, spec), Lost), "its corpse, not reaped yet, does not count as alive"
    supervisor.wait()


async def test_a_killed_supervisor_loses_the_run_and_leaves_no_orphan(executor: LocalExecutor, tmp_path: Path) -> None:
    """Also none that left its group and session and cleared its environment a moment ago."""
    train = """
if os.fork() == 0:
    os.setsid()
    if os.fork() > 0: os._exit(0)
    code = f"import os, time; open({run!r} + '/escaped', 'w').write(str(os.getpid()) + '.'); time.sleep(60)"
    os.execve(sys.executable, ["python", "-S", "-c", code], {})
time.sleep(60)
"""
    spec = spec_for(tmp_path, train)
    await executor.start(spec)
    escaped = tmp_path / "run" / "out" / "escaped"
    await until_there(escaped)
    while not escaped.read_text().endswith("."):
        time.sleep(0.001)
    orphan = identity_of(int(escaped.read_text().rstrip(".")))
    assert orphan is not None
    assert send(supervisor_of(spec), signal.SIGKILL)
    status = await settled(executor, spec)
    assert isinstance(status, Lost) and "supervisor" in status.reason
    assert not alive(orphan)
    assert isinstance(await LocalExecutor([]).status(Path(spec.run_dir)), Lost)


async def test_a_run_of_an_earlier_boot_is_lost_to_the_restart(executor: LocalExecutor, tmp_path: Path) -> None:
    me = identity_of(1)
    assert me is not None and take(tmp_path, Identity(me.pid, me.start_time, "another boot"))
    status = await executor.status(tmp_path)
    assert isinstance(status, Lost) and "restarted" in status.reason


async def test_a_result_counts_when_its_supervisor_is_gone(executor: LocalExecutor, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as supervisor:
        identity = identity_of(supervisor.pid)
        assert identity is not None and take(tmp_path, identity)
        write_result(tmp_path, RunResult(Outcome.SCORED, "scored", val_bpb=2.5))
        assert isinstance(await executor.status(tmp_path), Running)
        supervisor.kill()
    assert isinstance(await executor.status(tmp_path), Ended)


async def test_supervisors_leave_no_corpse_behind(executor: LocalExecutor, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "save()")
    await result_of(executor, spec)
    pid = supervisor_of(spec).pid
    await executor.status(Path(spec.run_dir))
    assert not Path(f"/proc/{pid}").exists()


async def test_a_broken_order_is_told_and_not_lost(executor: LocalExecutor, tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text('{"run_id": 1}')
    code = subprocess.run([sys.executable, "-m", "orchestrator.runs.supervisor", str(tmp_path)], stderr=subprocess.PIPE)
    assert code.returncode == 0
    status = await executor.status(tmp_path)
    assert isinstance(status, Ended) and "spec.json" in status.result.reason


def test_only_one_can_take_a_run(tmp_path: Path) -> None:
    me = identity_of(1)
    assert me is not None
    assert [take(tmp_path, me), call_off(tmp_path), take(tmp_path, me)] == [True, False, False]
    assert owner(tmp_path) == me
    assert owner(tmp_path / "other") is Unowned.YET
    assert [path.name for path in tmp_path.iterdir()] == ["identity.json"]


def test_a_reused_pid_is_not_hit() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        living = identity_of(process.pid)
        assert living is not None and alive(living)
        earlier = Identity(living.pid, living.start_time - 1, living.boot_id)
        assert not alive(earlier) and not send(earlier, signal.SIGKILL)
        assert process.poll() is None
        assert send(living, signal.SIGKILL)


async def test_a_sweep_kills_what_carries_the_marker_and_nothing_else(executor: LocalExecutor, tmp_path: Path) -> None:
    marker = f"{tmp_path}#7"
    marked = [subprocess.Popen(["sleep", "60"], env={"AUTOLAB_RUN": marker}) for _ in range(2)]
    other = subprocess.Popen(["sleep", "60"], env={"AUTOLAB_RUN": f"{marker}1"})
    try:
        assert sorted(marked_processes(marker)) == sorted(process.pid for process in marked)
        assert await executor.sweep(marker) == 2
        assert other.poll() is None and kill_marked(marker) == 0
    finally:
        for process in [*marked, other]:
            process.kill()
            process.wait()
