"""How runs end, with real processes: every outcome has its own words."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from orchestrator.errors import LabError
from orchestrator.runs import LocalExecutor, Outcome
from orchestrator.runs.log_text import read_log
from orchestrator.runs.provenance import STARTUP_CPU
from tests.runs.stand_ins import LIMITS, START, is_scored, result_of, spec_for


@pytest.fixture
def executor() -> LocalExecutor:
    return LocalExecutor([])


async def test_a_run_is_trained_scored_and_told(executor: LocalExecutor, tmp_path: Path) -> None:
    train = (
        "while time.process_time() < 0.3: pass\nnote(step=3, progress=0.5, loss=2.0, tokens=96)\nprint('hello')\nsave()"
    )
    result = await result_of(executor, spec_for(tmp_path, train))
    assert is_scored(result)
    assert (result.steps, result.tokens, result.parameters, result.exit_code) == (3, 96, 7, 0)
    assert result.startup_seconds is not None and result.scoring_seconds is not None
    assert result.training_seconds is not None and 0 < result.training_seconds < 0.5
    assert result.peak_memory_bytes is not None and result.peak_memory_bytes > 2**20
    assert result.started_at is not None and result.ended_at is not None and result.started_at < result.ended_at
    assert read_log(tmp_path / "run" / "log") == "hello\n"
    assert not (tmp_path / "run" / "home").exists(), "a run's home goes with it"


RAISED_BEFORE = """import traceback
try: 1 / 0
except ZeroDivisionError: traceback.print_exc()
"""
LEAVES_SLOWLY = """import atexit
def last_words():
    while True: pass
atexit.register(last_words)
"""


@pytest.mark.parametrize(
    ("train", "outcome", "words"),
    [
        ("raise ValueError('no such layer')", Outcome.CRASH, "ValueError: no such layer (train.py, line"),
        ("sys.exit('gave up')", Outcome.CRASH, "gave up"),
        ("os.abort()", Outcome.CRASH, "SIGABRT"),
        ("def f(:", Outcome.CRASH, "SyntaxError: invalid syntax (train.py, line"),
        ("raise RuntimeError('CUDA out of memory. Tried to allocate')", Outcome.OUT_OF_MEMORY, "CUDA out of memory"),
        ("note(step=4, loss='nan')\ntime.sleep(60)", Outcome.NAN, "nan at step 4"),
        ("note(step=4, loss=float('inf'))\nraise FloatingPointError", Outcome.NAN, "inf at step 4"),
        ("pass", Outcome.NO_CHECKPOINT, "prepare.save"),
        ("while True: pass", Outcome.TIME_OUT, "over its budget of 0.5 s"),
        (f"{LEAVES_SLOWLY}raise ValueError('after the last step')", Outcome.CRASH, "ValueError: after the last step"),
        (f"{LEAVES_SLOWLY}raise MemoryError('no room')", Outcome.OUT_OF_MEMORY, "MemoryError: no room"),
        (f"{RAISED_BEFORE}print('on')\nwhile True: pass", Outcome.TIME_OUT, "over its budget of 0.5 s"),
        ("while time.process_time() < 0.2: pass\nos.kill(os.getpid(), 9)", Outcome.KILLED, "from outside"),
    ],
)
async def test_every_bad_end_has_its_own_words(
    executor: LocalExecutor, tmp_path: Path, train: str, outcome: Outcome, words: str
) -> None:
    result = await result_of(executor, spec_for(tmp_path, train))
    assert result.outcome is outcome, result
    assert words in result.reason
    assert result.val_bpb is None


async def test_a_program_that_is_not_there_is_a_crash_that_names_it(executor: LocalExecutor, tmp_path: Path) -> None:
    result = await result_of(executor, spec_for(tmp_path, "", train_command=["no-such-python", "train.py"]))
    assert result.outcome is Outcome.CRASH and "no-such-python" in result.reason


async def test_a_start_that_takes_too_long_is_a_time_out(executor: LocalExecutor, tmp_path: Path) -> None:
    limits = replace(LIMITS, startup_seconds=0.5)
    result = await result_of(executor, spec_for(tmp_path, "", start="import time; time.sleep(60)", limits=limits))
    assert result.outcome is Outcome.TIME_OUT and "start-up" in result.reason


async def test_a_run_without_a_sign_of_life_hangs(executor: LocalExecutor, tmp_path: Path) -> None:
    polling = "while True: time.sleep(0.2)"
    result = await result_of(executor, spec_for(tmp_path, polling, limits=replace(LIMITS, hang_seconds=0.7)))
    assert result.outcome is Outcome.HANG


async def test_training_that_never_started_its_budget_is_not_scored(executor: LocalExecutor, tmp_path: Path) -> None:
    result = await result_of(executor, spec_for(tmp_path, "save()", start=START))
    assert result.outcome is Outcome.INVALID and "prepare.Budget" in result.reason


async def test_a_memory_filler_is_ended_before_the_machine_is_full(executor: LocalExecutor, tmp_path: Path) -> None:
    limits = replace(LIMITS, memory_bytes=100 * 2**20, grace_seconds=30)
    hoard = "hoard = []\nwhile True: hoard.append(bytearray(b'x') * 2**22)"
    result = await result_of(executor, spec_for(tmp_path, hoard, limits=limits))
    # Two bounds of one size: the kernel refuses more data, or the supervisor sees too much, whichever comes first.
    assert result.outcome is Outcome.OUT_OF_MEMORY
    assert "MemoryError" in result.reason or "used more than its 0.0977 GiB of memory" in result.reason


async def test_memory_of_all_processes_counts_together(executor: LocalExecutor, tmp_path: Path) -> None:
    limits = replace(LIMITS, memory_bytes=100 * 2**20, grace_seconds=30)
    share = "for _ in range(3): os.fork()\nhoard = bytearray(b'x') * (40 * 2**20)\ntime.sleep(60)"
    result = await result_of(executor, spec_for(tmp_path, share, limits=limits))
    assert result.outcome is Outcome.OUT_OF_MEMORY and "GiB" in result.reason


async def test_memory_that_processes_share_counts_once(executor: LocalExecutor, tmp_path: Path) -> None:
    limits = replace(LIMITS, memory_bytes=150 * 2**20, grace_seconds=30)
    share = """
hoard = bytearray(b'x') * (60 * 2**20)
children = [os.fork() for _ in range(2)]
time.sleep(0.5)
if all(children): save()
"""
    assert is_scored(await result_of(executor, spec_for(tmp_path, share, limits=limits)))


async def test_too_many_processes_end_the_run(executor: LocalExecutor, tmp_path: Path) -> None:
    bomb = "while True:\n    if os.fork() == 0: time.sleep(60)\n    time.sleep(0.005)"
    limits = replace(LIMITS, processes=20, grace_seconds=30)
    result = await result_of(executor, spec_for(tmp_path, bomb, limits=limits))
    assert result.outcome is Outcome.CRASH and "more than 20 processes" in result.reason


async def test_a_disk_that_fills_up_ends_the_run(executor: LocalExecutor, tmp_path: Path) -> None:
    result = await result_of(
        executor, spec_for(tmp_path, "time.sleep(60)", limits=replace(LIMITS, free_disk_bytes=2**60))
    )
    assert result.outcome is Outcome.CRASH and "disk" in result.reason


async def test_a_file_larger_than_allowed_is_not_written(executor: LocalExecutor, tmp_path: Path) -> None:
    train = (
        "open(run + '/big', 'wb', buffering=0).write(b'x' * 2**21)\nopen(run + '/big', 'ab', buffering=0).write(b'y')"
    )
    result = await result_of(executor, spec_for(tmp_path, train, limits=replace(LIMITS, file_bytes=2**20)))
    assert result.outcome is Outcome.CRASH and "File too large" in result.reason


async def test_what_the_scorer_refuses_is_invalid_with_its_reason(executor: LocalExecutor, tmp_path: Path) -> None:
    scorer = "import json\njson.dump({'refused': 'it looks \\x1b[31mahead'}, open('score.json', 'w'))"
    result = await result_of(executor, spec_for(tmp_path, "save()", scorer))
    assert result.outcome is Outcome.INVALID and result.reason.endswith("refused: it looks ahead")


@pytest.mark.parametrize(
    ("scorer", "words"),
    [
        ("raise KeyError('head')", "exit status 1; the log holds what it said"),
        ("open('score.json', 'w').write('{\"val_bpb\": NaN}')", "no score that is a number"),
        ("open('score.json', 'w').write('{\"val_bpb\": 1.5}'); raise SystemExit(3)", "exit status 3"),
        ("pass", "exit status 0"),
    ],
)
async def test_a_scorer_that_gives_no_sound_score_makes_the_run_invalid(
    executor: LocalExecutor, tmp_path: Path, scorer: str, words: str
) -> None:
    result = await result_of(executor, spec_for(tmp_path, "print('of the trainer')\nsave()", scorer))
    assert result.outcome is Outcome.INVALID and words in result.reason, result
    # Of the words that the scorer printed none is quoted: the model prints there too, and has seen the text.
    assert "KeyError" not in result.reason


async def test_a_scorer_that_hangs_is_ended(executor: LocalExecutor, tmp_path: Path) -> None:
    limits = replace(LIMITS, scoring_seconds=0.5)
    result = await result_of(executor, spec_for(tmp_path, "save()", "import time; time.sleep(60)", limits=limits))
    assert result.outcome is Outcome.TIME_OUT and "scoring" in result.reason


async def test_a_run_without_a_scorer_is_finished_when_its_command_is(executor: LocalExecutor, tmp_path: Path) -> None:
    result = await result_of(executor, spec_for(tmp_path, "print('metric 3')", start=START, score_command=None))
    assert result.outcome is Outcome.SCORED and result.val_bpb is None


async def test_the_provenance_of_a_script_changes_with_its_files_and_its_data_and_names_nothing_that_is_not_there(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    (data / "inner").mkdir(parents=True)
    (data / "inner" / "tokens.bin").write_text("1 2 3")

    async def provenance(number: int, train: str, **more: object) -> dict[str, str]:
        spec = spec_for(tmp_path, train, start=START, score_command=None, run_dir=str(tmp_path / f"run-{number}"))
        result = await result_of(executor, replace(spec, **more))  # type: ignore[arg-type]
        assert result.outcome is Outcome.SCORED
        return {name: said for name, said in result.provenance.items() if name != STARTUP_CPU}

    assert await provenance(1, "print(1)") == {}
    script = {"code": ["train.py"], "data": [str(data)], "known_facts": {"command": "python train.py"}}
    one = await provenance(2, "print(1)", **script)
    assert one.keys() == {"code", "data", "command"} and one["code"] != sha256().hexdigest()
    assert await provenance(3, "print(1)", **script) == one
    assert (await provenance(4, "print(2)", **script))["code"] != one["code"]
    (data / "inner" / "tokens.bin").write_text("1 2 3 4")
    assert (await provenance(5, "print(1)", **script))["data"] != one["data"]
    assert "data" not in await provenance(6, "print(1)", **{**script, "data": [str(tmp_path / "nowhere")]})


async def test_a_run_that_cannot_be_started_is_told_with_the_reason(executor: LocalExecutor, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "save()")
    (tmp_path / "run").write_text("a file where the directory should be")
    with pytest.raises(LabError) as told:
        await executor.start(spec)
    assert "cannot be started" in told.value.sentence and told.value.remedy


async def test_the_same_run_is_not_started_twice(executor: LocalExecutor, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, "save()")
    assert is_scored(await result_of(executor, spec))
    with pytest.raises(LabError):
        await executor.start(spec)
