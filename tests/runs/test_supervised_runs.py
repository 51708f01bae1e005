"""Runs under their supervisor, with real processes: small scripts stand in for train.py and the scorer."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.runs import Ended, Limits, LocalExecutor, Lost, NeverStarted, Outcome, Running, RunResult, RunSpec
from orchestrator.runs.identity import Identity, alive, identity_of, marked_processes, send
from orchestrator.runs.log_text import inert, read_lines, read_log
from orchestrator.runs.result import read_json
from orchestrator.runs.slots import cpu_slots
from orchestrator.runs.spec import write_spec
from orchestrator.runs.supervisor import claim

START = """
import json, os, sys, time
run = os.environ["RUN_DIR"]
def note(**line):
    with open(run + "/metrics.jsonl", "a") as file:
        file.write(json.dumps(line) + "\\n")
def save():
    open(run + "/weights.pt", "wb").write(b"weights")
note(event="start")
"""
SCORER = """
import json, sys
json.dump({"val_bpb": 2.5, "parameters": 7, "tokens": 1, "bytes": 1, "seconds": 0.1}, open("score.json", "w"))
"""
LIMITS = Limits(
    startup_seconds=20, grace_seconds=0.5, hang_seconds=30, scoring_seconds=20, stop_seconds=0.5, log_bytes=20_000
)


def spec_for(tmp_path: Path, train: str, scorer: str = SCORER, limits: Limits = LIMITS, start: str = START) -> RunSpec:
    tree = tmp_path / "tree"
    tree.mkdir(exist_ok=True)
    (tree / "train.py").write_text(start + train)
    (tree / "scorer.py").write_text(scorer)
    directory = tmp_path / "run"
    return RunSpec(
        run_id=1,
        marker=f"{tmp_path}#1",
        run_dir=str(directory),
        worktree=str(tree),
        train_command=[sys.executable, "train.py"],
        score_command=[sys.executable, str(tree / "scorer.py")],
        env={"RUN_DIR": str(directory)},
        score_env={},
        seed=1,
        clock="cpu",
        budget_seconds=1.0,
        slot="cpu0",
        limits=limits,
    )


async def ended(executor: LocalExecutor, spec: RunSpec, timeout: float = 60) -> RunResult:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        match await executor.status(Path(spec.run_dir)):
            case Ended(result=result):
                assert marked_processes(spec.marker) == [], "no process of the run is left"
                return result
            case Running():
                await asyncio.sleep(0.05)
            case other:
                raise AssertionError(f"unexpected status {other}")
    raise AssertionError("the run has not ended")


async def in_phase(executor: LocalExecutor, spec: RunSpec, phase: str, timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        status = await executor.status(Path(spec.run_dir))
        if isinstance(status, Running) and status.phase == phase:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"the run has not come to {phase}")


@pytest.fixture
def executor() -> LocalExecutor:
    return LocalExecutor(cpu_slots(2))


async def outcome_of(executor: LocalExecutor, spec: RunSpec) -> RunResult:
    await executor.start(spec)
    return await ended(executor, spec)


async def test_a_run_is_trained_scored_and_told(executor: LocalExecutor, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "note(step=3, progress=0.5, loss=2.0)\nprint('hello')\nsave()")
    result = await outcome_of(executor, spec)
    assert (result.outcome, result.val_bpb, result.steps, result.parameters) == (Outcome.SCORED, 2.5, 3, 7)
    assert result.startup_seconds is not None and result.training_seconds is not None
    assert read_log(tmp_path / "run" / "log") == "hello\n"


@pytest.mark.parametrize(
    ("train", "outcome", "words"),
    [
        ("raise ValueError('no such layer')", Outcome.CRASH, "ValueError: no such layer"),
        ("sys.exit('gave up')", Outcome.CRASH, "gave up"),
        ("raise RuntimeError('CUDA out of memory. Tried to allocate')", Outcome.OUT_OF_MEMORY, "memory"),
        ("note(step=1, loss='nan')\ntime.sleep(60)", Outcome.NAN, "nan"),
        ("pass", Outcome.NO_CHECKPOINT, "prepare.save"),
        ("while True: pass", Outcome.TIME_OUT, "budget"),
        ("os.abort()", Outcome.CRASH, "SIGABRT"),
    ],
)
async def test_every_bad_end_has_its_own_words(
    executor: LocalExecutor, tmp_path: Path, train: str, outcome: Outcome, words: str
) -> None:
    result = await outcome_of(executor, spec_for(tmp_path, train))
    assert result.outcome is outcome, result
    assert words in result.reason
    assert result.val_bpb is None


async def test_a_start_that_takes_too_long_is_a_time_out(executor: LocalExecutor, tmp_path: Path) -> None:
    limits = replace(LIMITS, startup_seconds=0.5)
    result = await outcome_of(executor, spec_for(tmp_path, "", limits=limits, start="import time; time.sleep(60)"))
    assert result.outcome is Outcome.TIME_OUT and "start-up" in result.reason


async def test_a_run_without_a_sign_of_life_hangs(executor: LocalExecutor, tmp_path: Path) -> None:
    result = await outcome_of(executor, spec_for(tmp_path, "time.sleep(60)", limits=replace(LIMITS, hang_seconds=0.5)))
    assert result.outcome is Outcome.HANG


async def test_a_memory_filler_is_ended_before_the_machine_is_full(executor: LocalExecutor, tmp_path: Path) -> None:
    limits = replace(LIMITS, memory_bytes=200 * 2**20, grace_seconds=30)
    hoard = "hoard = []\nwhile True: hoard.append(bytearray(10 * 2**20))"
    result = await outcome_of(executor, spec_for(tmp_path, hoard, limits=limits))
    assert result.outcome is Outcome.OUT_OF_MEMORY


async def test_a_score_that_the_trainer_wrote_is_not_a_score(executor: LocalExecutor, tmp_path: Path) -> None:
    forged = "json.dump({'val_bpb': 0.1}, open(run + '/score.json', 'w'))\nsave()"
    result = await outcome_of(executor, spec_for(tmp_path, forged, scorer="raise SystemExit('broken')"))
    assert result.outcome is Outcome.INVALID and result.val_bpb is None


async def test_what_the_scorer_refuses_is_invalid_with_its_reason(executor: LocalExecutor, tmp_path: Path) -> None:
    scorer = "import json\njson.dump({'refused': 'it looks ahead'}, open('score.json', 'w'))"
    result = await outcome_of(executor, spec_for(tmp_path, "save()", scorer=scorer))
    assert result.outcome is Outcome.INVALID and "it looks ahead" in result.reason


async def test_a_scorer_that_hangs_is_ended(executor: LocalExecutor, tmp_path: Path) -> None:
    limits = replace(LIMITS, scoring_seconds=0.5)
    result = await outcome_of(executor, spec_for(tmp_path, "save()", "import time; time.sleep(60)", limits))
    assert result.outcome is Outcome.TIME_OUT and "scoring" in result.reason


async def test_a_changed_protected_file_makes_the_run_invalid(executor: LocalExecutor, tmp_path: Path) -> None:
    original = tmp_path / "prepare.py"
    original.write_text("fixed")
    spec = spec_for(tmp_path, "open('prepare.py', 'w').write('mine')\nsave()")
    (tmp_path / "tree" / "prepare.py").write_text("fixed")
    result = await outcome_of(executor, replace(spec, protected={"prepare.py": str(original)}))
    assert result.outcome is Outcome.INVALID and "prepare.py" in result.reason


async def test_children_that_try_to_get_away_die_with_the_run(executor: LocalExecutor, tmp_path: Path) -> None:
    train = """
import subprocess
for again in (False, True):
    if os.fork() == 0:
        os.setsid()
        if again and os.fork() > 0:
            os._exit(0)
        os.close(1), os.close(2)
        while True:
            time.sleep(1)
save()
"""
    spec = spec_for(tmp_path, train)
    assert (await outcome_of(executor, spec)).outcome is Outcome.SCORED


async def test_a_flood_of_output_is_cut_in_the_middle(executor: LocalExecutor, tmp_path: Path) -> None:
    train = "print('first line')\nfor n in range(40_000): print('x' * 100)\nsave()\nprint('last line')"
    spec = spec_for(tmp_path, train, limits=replace(LIMITS, grace_seconds=30))
    assert (await outcome_of(executor, spec)).outcome is Outcome.SCORED
    log = read_log(tmp_path / "run" / "log")
    assert len(log) < 120_000 and log.startswith("first line") and log.endswith("last line\n")
    assert "bytes left out here" in log


async def test_a_run_sees_nothing_of_the_surroundings_that_it_need_not(executor: LocalExecutor, tmp_path: Path) -> None:
    os.environ["HF_TOKEN"] = "secret"
    try:
        spec = spec_for(tmp_path, "print(sorted(os.environ))\nsave()")
        await outcome_of(executor, spec)
    finally:
        del os.environ["HF_TOKEN"]
    assert "HF_TOKEN" not in read_log(tmp_path / "run" / "log")


async def test_a_paused_run_uses_no_budget(executor: LocalExecutor, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "while not os.path.exists(run + '/go'): time.sleep(0.01)\nsave()")
    await executor.start(spec)
    await in_phase(executor, spec, "training")
    await executor.pause(Path(spec.run_dir))
    await in_phase(executor, spec, "paused")
    before = read_json(Path(spec.run_dir) / "status.json")
    await asyncio.sleep(1.0)
    after = read_json(Path(spec.run_dir) / "status.json")
    assert before is not None and after is not None and before["cpu_seconds"] == after["cpu_seconds"]
    (Path(spec.run_dir) / "go").touch()
    await executor.resume(Path(spec.run_dir))
    assert (await ended(executor, spec)).outcome is Outcome.SCORED
    assert (Path(spec.run_dir) / "paused").stat().st_size == 8


@pytest.mark.parametrize("now", [False, True])
async def test_a_run_is_stopped_even_when_it_ignores_the_signal(
    executor: LocalExecutor, tmp_path: Path, now: bool
) -> None:
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)"
    spec = spec_for(tmp_path, stubborn)
    await executor.start(spec)
    await in_phase(executor, spec, "training")
    await executor.stop(Path(spec.run_dir), now=now)
    assert (await ended(executor, spec, 10)).outcome is Outcome.KILLED


async def test_a_new_executor_adopts_a_run_whose_daemon_was_killed(tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "time.sleep(1.5)\nsave()", limits=replace(LIMITS, hang_seconds=30))
    write_spec(spec)
    starter = (
        "import asyncio, sys, time\nfrom pathlib import Path\n"
        "from orchestrator.runs import LocalExecutor\nfrom orchestrator.runs.spec import read_spec\n"
        f"asyncio.run(LocalExecutor([]).start(read_spec(Path({spec.run_dir!r}))))\nprint('started', flush=True)\n"
        "time.sleep(60)"
    )
    daemon = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE)
    assert daemon.stdout is not None and daemon.stdout.readline() == b"started\n"
    daemon.kill()
    daemon.wait()
    adopting = LocalExecutor([])
    assert isinstance(await adopting.status(Path(spec.run_dir)), Running)
    assert (await ended(adopting, spec)).outcome is Outcome.SCORED


async def test_a_killed_supervisor_loses_the_run_and_leaves_no_orphan(executor: LocalExecutor, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "os.fork() or os.setsid()\ntime.sleep(60)")
    await executor.start(spec)
    await in_phase(executor, spec, "training")
    values = read_json(Path(spec.run_dir) / "identity.json")
    assert values is not None
    assert send(Identity(**values), signal.SIGKILL)
    while isinstance(status := await executor.status(Path(spec.run_dir)), Running):
        await asyncio.sleep(0.05)
    assert isinstance(status, Lost)
    assert marked_processes(spec.marker) == []


async def test_a_run_that_nobody_took_is_called_off_for_good(executor: LocalExecutor, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "save()")
    write_spec(spec)
    assert isinstance(await executor.status(Path(spec.run_dir)), NeverStarted)
    late = subprocess.run([sys.executable, "-m", "orchestrator.runs.supervisor", spec.run_dir], check=False)
    assert late.returncode == 3, "a supervisor that comes late finds the run taken"
    assert not (Path(spec.run_dir) / "log").exists()


def test_only_one_can_claim_a_run(tmp_path: Path) -> None:
    assert [claim(tmp_path), claim(tmp_path)] == [True, False]


def test_a_reused_pid_is_not_the_same_process() -> None:
    me = identity_of(os.getpid())
    assert me is not None and alive(me)
    other = replace(me, start_time=me.start_time - 1)
    assert not alive(other)
    assert not send(other, signal.SIGKILL)


def test_terminal_sequences_are_inert() -> None:
    hostile = "\x1b[2J\x1b]0;title\x07red \x1b[31mtext\x1b[0m\x9b1mx\x00\x08\x1bc\u202etrojan\n"
    shown = inert(hostile)
    assert "text" in shown and shown.isprintable() is False  # only its line break is not printable
    assert all(character.isprintable() or character in "\n\t" for character in shown)
    assert inert("10%\r20%\r\n") == "10%\n20%\n"


def test_a_log_is_read_by_offset_and_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert read_lines(path).lines == []
    path.write_bytes(b"one\ntwo\nthr")
    piece = read_lines(path)
    assert piece.lines == ["one", "two"]
    with path.open("ab") as file:
        file.write(b"ee\nfour\n")
    assert read_lines(path, piece.offset).lines == ["three", "four"]
    assert read_lines(path, None, most=6).lines == ["four"]
    path.write_bytes(b"anew\n")
    assert read_lines(path, 999).lines == ["anew"]
