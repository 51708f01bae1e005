"""What a hostile or broken train.py does: nothing escapes, nothing is forged, nothing holds the harness up."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.runs import LocalExecutor, Outcome
from orchestrator.runs.log_text import read_log
from tests.runs.stand_ins import LIMITS, is_scored, result_of, spec_for


@pytest.fixture
def executor() -> LocalExecutor:
    return LocalExecutor([])


async def test_children_that_try_to_get_away_die_with_the_run(executor: LocalExecutor, tmp_path: Path) -> None:
    train = """
for again in (False, True):
    if os.fork() == 0:
        os.setsid()
        if again and os.fork() > 0:
            os._exit(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open(f"{harness}/{os.getpid()}.pid", "w").close()
        os.execve(sys.executable, ["python", "-S", "-c", "import time; time.sleep(60)"], {})
while len([name for name in os.listdir(harness) if name.endswith(".pid")]) < 2: time.sleep(0.01)
save()
"""
    assert is_scored(await result_of(executor, spec_for(tmp_path, train)))
    pids = [path.stem for path in (tmp_path / "run").glob("*.pid")]
    assert len(pids) == 2 and not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


async def test_cpu_seconds_of_children_count_even_when_those_are_gone(executor: LocalExecutor, tmp_path: Path) -> None:
    """Work handed to processes that are orphaned before they end is still paid for."""
    train = """
for _ in range(20):
    if os.fork() == 0:
        if os.fork() == 0:
            while time.process_time() < 0.2: pass
        os._exit(0)
    os.wait()
    time.sleep(0.25)
"""
    result = await result_of(executor, spec_for(tmp_path, train))
    assert result.outcome is Outcome.TIME_OUT and "budget" in result.reason


@pytest.mark.parametrize(
    "trouble",
    [
        "os.mkdir(harness + '/score.json')",
        "os.mkdir(harness + '/result.json')",
        "os.remove(harness + '/status.json'); os.mkfifo(harness + '/status.json'); time.sleep(0.6)",
        "note(step=10**400); note(step='x' * 200_000); open(run + '/metrics.jsonl', 'ab').write(b'[[[[\\n\\xff{}\\n')",
        "import ctypes; ctypes.CDLL(None).prctl(15, b'\\xff\\xfe) (', 0, 0, 0); time.sleep(0.3)",
        "os.remove(run + '/metrics.jsonl'); os.mkfifo(run + '/metrics.jsonl'); time.sleep(0.3)",
        "os.chmod(run, 0o500)",
    ],
)
async def test_odd_files_and_names_do_not_trouble_the_supervisor(
    executor: LocalExecutor, tmp_path: Path, trouble: str
) -> None:
    train = (
        f"while not os.path.exists(harness + '/status.json'): time.sleep(0.01)\ntime.sleep(0.3)\nsave()\n{trouble}\n"
    )
    assert is_scored(await result_of(executor, spec_for(tmp_path, train)))


@pytest.mark.parametrize(
    "trouble",
    [
        "import shutil\nwhile os.path.exists(harness): shutil.rmtree(harness, ignore_errors=True)",
        "os.remove(harness + '/identity.json')",
    ],
)
async def test_a_run_that_destroys_the_account_of_itself_is_invalid(
    executor: LocalExecutor, tmp_path: Path, trouble: str
) -> None:
    result = await result_of(executor, spec_for(tmp_path, f"{trouble}\ntime.sleep(60)"))
    assert result.outcome is Outcome.INVALID and "harness" in result.reason


async def test_a_score_that_the_trainer_wrote_is_not_a_score(executor: LocalExecutor, tmp_path: Path) -> None:
    forged = "json.dump({'val_bpb': 0.1}, open(harness + '/score.json', 'w'))\nsave()"
    result = await result_of(executor, spec_for(tmp_path, forged, "raise SystemExit('broken')"))
    assert result.outcome is Outcome.INVALID and result.val_bpb is None


async def test_weights_that_are_a_link_to_others_are_no_checkpoint(executor: LocalExecutor, tmp_path: Path) -> None:
    (tmp_path / "better.pt").write_bytes(b"of another run")
    train = f"os.symlink({str(tmp_path / 'better.pt')!r}, run + '/weights.pt')"
    assert (await result_of(executor, spec_for(tmp_path, train))).outcome is Outcome.NO_CHECKPOINT


async def test_a_changed_protected_file_makes_the_run_invalid(executor: LocalExecutor, tmp_path: Path) -> None:
    """Although its size and times are put back."""
    original = tmp_path / "prepare.py"
    original.write_text("fixed")
    train = """
before = os.stat('prepare.py')
open('prepare.py', 'w').write('mine!')
os.utime('prepare.py', ns=(before.st_atime_ns, before.st_mtime_ns))
save()
"""
    spec = spec_for(tmp_path, train, protected={"prepare.py": str(original)})
    (tmp_path / "tree" / "prepare.py").write_text("fixed")
    result = await result_of(executor, spec)
    assert result.outcome is Outcome.INVALID and result.reason.startswith("prepare.py differs")


async def test_what_a_script_does_is_told_by_its_own_name_and_of_its_files_as_committed(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    kept = tmp_path / "originals.csv"
    kept.write_text("1,2")
    script = {"score_command": None, "program": "fit.py", "protected": {"data.csv": str(kept)}}
    crash = spec_for(tmp_path, "raise ValueError('no')", **script)
    (tmp_path / "tree" / "data.csv").write_text("1,2")
    assert (await result_of(executor, crash)).reason.startswith("fit.py crashed: ValueError: no")
    (tmp_path / "second").mkdir()
    changes = spec_for(tmp_path / "second", "open('data.csv', 'w')", **script)
    (tmp_path / "second" / "tree" / "data.csv").write_text("1,2")
    result = await result_of(executor, changes)
    assert result.outcome is Outcome.INVALID
    assert result.reason == "data.csv differs from the committed one during the run"


async def test_a_protected_file_that_differs_from_the_start_is_told_without_training(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    spec = spec_for(tmp_path, "save()", protected={"prepare.py": str(tmp_path / "scorer.py")})
    result = await result_of(executor, spec)
    assert result.outcome is Outcome.INVALID and "before the run" in result.reason
    assert not (tmp_path / "run" / "weights.pt").exists()


async def test_what_is_scored_is_what_was_committed(executor: LocalExecutor, tmp_path: Path) -> None:
    result = await result_of(executor, spec_for(tmp_path, "open('train.py', 'a').write('#')\nsave()"))
    assert result.outcome is Outcome.INVALID and result.reason.startswith("train.py was changed")


async def test_the_scorer_starts_from_nothing_that_the_trainer_left(executor: LocalExecutor, tmp_path: Path) -> None:
    train = """
os.mkdir('__pycache__')
open('__pycache__/train.pyc', 'w').close()
open(os.environ['HOME'] + '/planted', 'w').close()
save()
"""
    scorer = """
import json, os
left = os.listdir(os.environ["HOME"]) + [name for name in os.listdir("../tree") if name != "train.py"]
json.dump({"refused": f"found {left}"} if left else {"val_bpb": 2.5}, open("score.json", "w"))
"""
    assert is_scored(await result_of(executor, spec_for(tmp_path, train, scorer)))


async def test_a_run_and_its_supervisor_see_no_secret_of_the_surroundings(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    os.environ["HF_TOKEN"] = "hush-hush"
    try:
        train = "print(dict(os.environ), open(f'/proc/{os.getppid()}/environ').read())\nsave()"
        assert is_scored(await result_of(executor, spec_for(tmp_path, train)))
    finally:
        del os.environ["HF_TOKEN"]
    said = read_log(tmp_path / "run" / "log")
    assert "PATH" in said and "hush-hush" not in said


async def test_a_flood_of_output_is_cut_in_the_middle(executor: LocalExecutor, tmp_path: Path) -> None:
    train = "print('first line', flush=True)\nfor _ in range(64): os.write(1, b'x' * 2**20)\nsave()\nprint('last line')"
    spec = spec_for(tmp_path, train, limits=replace(LIMITS, grace_seconds=30))
    assert is_scored(await result_of(executor, spec))
    log = read_log(tmp_path / "run" / "log")
    assert len(log) < 2 * LIMITS.log_bytes and log.startswith("first line") and log.endswith("last line\n")
    assert "bytes left out here" in log


async def test_a_model_that_breaks_a_bound_while_it_is_scored_is_invalid_and_no_crash(
    executor: LocalExecutor, tmp_path: Path
) -> None:
    """A crash is mended by a worker, who gets the end of the log; by now that may hold the text that is scored."""
    scorer = """
import os, time
print("what is scored", flush=True)
for _ in range(60):
    if os.fork() == 0: time.sleep(60)
time.sleep(60)
"""
    spec = spec_for(tmp_path, "save()", scorer, limits=replace(LIMITS, processes=20))
    result = await result_of(executor, spec)
    assert result.outcome is Outcome.INVALID and result.reason.startswith("while it was scored: ")


async def test_no_word_of_what_the_scorer_printed_stands_in_the_reason(executor: LocalExecutor, tmp_path: Path) -> None:
    result = await result_of(executor, spec_for(tmp_path, "save()", "raise SystemExit('the text that is scored')"))
    assert result.outcome is Outcome.INVALID and "scored" not in result.reason.partition(":")[2]
