"""The rules behind a run, without processes: clocks, deadlines, the curve, reasons, odd numbers, slots."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.runs import Limits, Outcome, RunResult, Slot
from orchestrator.runs.deadlines import Deadlines, Sight
from orchestrator.runs.metrics import LONGEST_LINE, Follower
from orchestrator.runs.output import CappedLog
from orchestrator.runs.reasons import crash_reason, ends_in_traceback, ran_out_of_memory
from orchestrator.runs.result import Cut, read_result, write_result
from orchestrator.runs.scoring import judge
from orchestrator.runs.slots import _visible, cpu_slots, gpu_reading
from orchestrator.runs.stopwatch import Stopwatch

LIMITS = Limits(startup_seconds=100, grace_seconds=5, hang_seconds=30, wall_factor=10)


def cut_of(deadlines: Deadlines, sights: list[Sight], started_at: float | None = None) -> Cut | None:
    for sight in sights:
        deadlines.note(sight)
        if started_at is not None and sight.wall >= started_at:
            deadlines.begin(sight)
        try:
            deadlines.check(sight)
        except Cut as cut:
            return cut
    return None


def seconds_of(share: float, until: int, appended: bool = False) -> list[Sight]:
    """Looks of a process that uses this share of a core."""
    return [Sight(float(wall), wall * share, appended) for wall in range(1, until)]


def test_on_the_cpu_clock_a_crowded_machine_costs_no_budget() -> None:
    deadlines = Deadlines(20, "cpu", LIMITS)
    assert cut_of(deadlines, seconds_of(0.1, 150), started_at=10) is None
    assert deadlines.startup == 10 and deadlines.training is not None and 13 < deadlines.training < 15


def test_the_time_out_of_a_script_and_its_hanging_are_told_by_its_own_name() -> None:
    limits = replace(LIMITS, grace_seconds=0.0)
    cut = cut_of(Deadlines(8, "wall", limits, "eval.py", scripted=True), seconds_of(0.1, 150), started_at=1)
    assert cut is not None and cut.outcome is Outcome.TIME_OUT
    remedy = "target.timeout_seconds in autolab.toml is what it may take"
    assert cut.reason == f"eval.py was still running after its time-out of 8 s; {remedy}"
    cut = cut_of(Deadlines(1000, "wall", limits, "eval.py", scripted=True), seconds_of(0.0, 150), started_at=1)
    assert cut is not None and cut.reason.startswith("eval.py hung: ")


def test_on_the_wall_clock_waiting_costs_budget() -> None:
    cut = cut_of(Deadlines(20, "wall", LIMITS), seconds_of(0.1, 150), started_at=10)
    assert cut is not None and cut.outcome is Outcome.TIME_OUT and "budget of 20 s" in cut.reason


def test_a_budget_that_is_hardly_used_ends_by_the_wall_clock_at_last() -> None:
    cut = cut_of(Deadlines(20, "cpu", LIMITS), seconds_of(0.03, 1000), started_at=10)
    assert cut is not None and cut.outcome is Outcome.TIME_OUT and "wall clock" in cut.reason


def test_a_start_up_that_computes_for_ever_is_a_time_out() -> None:
    cut = cut_of(Deadlines(20, "cpu", LIMITS), seconds_of(1.0, 200))
    assert cut is not None and "start-up" in cut.reason


@pytest.mark.parametrize(
    ("share", "appended", "hangs"), [(0.0, False, True), (0.005, False, True), (0.05, False, False)]
)
def test_polling_is_no_sign_of_life_and_computing_is(share: float, appended: bool, hangs: bool) -> None:
    cut = cut_of(Deadlines(1000, "cpu", LIMITS), seconds_of(share, 90, appended), started_at=1)
    assert (cut is not None and cut.outcome is Outcome.HANG) is hangs


def test_a_step_logged_is_a_sign_of_life() -> None:
    assert cut_of(Deadlines(1000, "cpu", LIMITS), seconds_of(0.0, 90, appended=True), started_at=1) is None


def test_a_stopwatch_stands_still_in_a_pause() -> None:
    now = [100.0]
    watch = Stopwatch(lambda: now[0])
    now[0] += 5
    watch.pause()
    watch.pause()
    now[0] += 60
    assert (watch.seconds, watch.paused_seconds) == (5, 60)
    watch.resume()
    watch.resume()
    now[0] += 2
    assert (watch.seconds, watch.paused_seconds, watch.paused) == (7, 60, False)


# The curve


def test_a_curve_is_followed_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    follower = Follower(path)
    assert not follower.look()
    path.write_bytes(b'{"event": "start"}\n{"step": 1, "lo')
    assert follower.look() and follower.curve.started and follower.curve.steps is None
    with path.open("ab") as file:
        file.write(b'ss": 2.5, "progress": 0.25, "tokens": 64}\n')
    assert follower.look() and not follower.look()
    curve = follower.curve
    assert (curve.steps, curve.loss, curve.progress, curve.tokens) == (1, 2.5, 0.25, 64)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff\xfe\x00",
        b"[" * 50_000,
        b"[1, 2]",
        b'{"step": "7", "progress": [1], "loss": {}}',
        b'{"step": 1e300, "tokens": -5, "loss": true}',
        b'{"step": ' + b"9" * 5000 + b"}",
        b'{"step": 99, "pad": "' + b"x" * LONGEST_LINE + b'"}',
    ],
)
def test_a_broken_line_of_the_curve_changes_nothing(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 3, "loss": 1.5}\n' + line + b"\n")
    follower = Follower(path)
    follower.look_to_the_end()
    assert (follower.curve.steps, follower.curve.loss, follower.curve.tokens) == (3, 1.5, None)
    with path.open("ab") as file:
        file.write(b'{"step": 4}\n')
    follower.look_to_the_end()
    assert follower.curve.steps == 4


@pytest.mark.parametrize("loss", ["NaN", "Infinity", '"nan"', '"-inf"', "1" + "0" * 400])
def test_a_loss_that_is_no_number_is_noticed_however_it_is_written(tmp_path: Path, loss: str) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(f'{{"step": 3, "loss": {loss}}}\n')
    follower = Follower(path)
    follower.look()
    assert follower.curve.not_finite in ("nan", "inf", "-inf") and follower.curve.loss is None


# Reasons

TRACEBACK = """step 1
Traceback (most recent call last):
  File "/lab/train.py", line 10, in <module>
    train()
  File "/lab/train.py", line 7, in train
    raise ValueError("first")
ValueError: first

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/lab/train.py", line 12, in <module>
    model(x)
  File "/site/torch/nn/linear.py", line 125, in forward
    return F.linear(input, self.weight, self.bias)
           ^^^^^^^^
RuntimeError: mat1 and mat2 shapes cannot be multiplied (16x64 and 32x8)
closing down
"""


@pytest.mark.parametrize(
    ("last", "code", "words"),
    [
        (
            TRACEBACK,
            1,
            "RuntimeError: mat1 and mat2 shapes cannot be multiplied (16x64 and 32x8) (linear.py, line 125)",
        ),
        (
            "  File \"train.py\", line 3\n    x = (\n        ^\nSyntaxError: '(' was never closed\n",
            1,
            "SyntaxError: '(' was",
        ),
        ('Traceback (most recent call last):\n  File "a.py", line 1, in f\nmine.Odd\n', 1, "mine.Odd (a.py, line 1)"),
        ("ValueError: only printed\nbye\n", 2, "exit status 2: bye"),
        ("", 2, "exit status 2"),
        ("some text\n", -11, "ended by SIGSEGV"),
        ("", -60, "ended by signal 60"),
        ("\x1b[31mred\x1b[0m end\n", 1, "exit status 1: red end"),
    ],
)
def test_a_crash_is_told_by_its_last_exception(last: str, code: int, words: str) -> None:
    assert crash_reason(last, code).startswith(words)


@pytest.mark.parametrize(
    ("last", "leaving"),
    [
        (
            'step 1\nTraceback (most recent call last):\n  File "train.py", line 3, in <module>\nValueError: no\n\n',
            True,
        ),
        ('Traceback (most recent call last):\n  File "train.py", line 3, in <module>\nValueError: no\nstep 2\n', False),
        ('Traceback (most recent call last):\n  File "train.py", line 3, in <module>\n', False),
        ("ValueError: a line of the log\n", False),
        ("", False),
    ],
)
def test_a_traceback_tells_the_end_only_where_nothing_follows_it(last: str, leaving: bool) -> None:
    assert ends_in_traceback(last) is leaving


@pytest.mark.parametrize(
    ("last", "memory"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.", True),
        ("RuntimeError: [enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate", True),
        ("MemoryError", True),
        ("terminate called after throwing an instance of 'std::bad_alloc'", True),
        ("ValueError: memory_format is odd", False),
    ],
)
def test_running_out_of_memory_has_many_words(last: str, memory: bool) -> None:
    assert ran_out_of_memory(last) is memory


@pytest.mark.parametrize(
    "written", [None, {}, {"val_bpb": "2"}, {"val_bpb": True}, {"val_bpb": float("inf")}, {"val_bpb": 1e30}]
)
def test_only_a_number_is_a_score(written: dict[str, object] | None) -> None:
    with pytest.raises(Cut) as cut:
        judge(written, 0, "")
    assert cut.value.outcome is Outcome.INVALID
    assert judge({"val_bpb": 2, "parameters": 10.0}, 0, "").val_bpb == 2.0


# Results, logs, slots


def test_a_result_is_read_as_it_was_written_and_from_other_versions(tmp_path: Path) -> None:
    assert read_result(tmp_path) is None
    result = RunResult(Outcome.NAN, "the loss became nan", steps=4)
    write_result(tmp_path, result)
    assert read_result(tmp_path) == result
    path = tmp_path / "result.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "of_a_later_version": 1}))
    assert read_result(tmp_path) == result
    for broken in ("", "[]", "{}", json.dumps({**values, "outcome": "odd"}), json.dumps({**values, "steps": 2**80})):
        path.write_text(broken)
        assert read_result(tmp_path) is None


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_log_keeps_head_and_tail_whatever_the_pieces(tmp_path: Path, size: int) -> None:
    path = tmp_path / "log"
    log = CappedLog(path, 1000)
    printed = b"".join(b"%05d\n" % number for number in range(2000))
    for start in range(0, len(printed), size):
        log.feed(printed[start : start + size])
    log.close()
    kept = path.read_bytes()
    assert kept.startswith(printed[:750]) and kept.endswith(printed[-250:]) and len(kept) < 1300
    assert b"%d bytes left out here" % (len(printed) - 1000) in kept


def test_a_log_within_its_limit_is_kept_as_it_is(tmp_path: Path) -> None:
    log = CappedLog(tmp_path / "log", 1000)
    log.feed(b"a" * 990)
    log.close()
    assert (tmp_path / "log").read_bytes() == b"a" * 990


@pytest.mark.parametrize(
    ("setting", "visible"),
    [(None, [0, 1, 2]), ("", []), ("-1", []), ("1", [1]), ("2,0", [0, 2]), ("GPU-b", [1]), ("0,none,1", [0])],
)
def test_gpus_that_are_not_left_to_us_are_not_taken(setting: str | None, visible: list[int]) -> None:
    uuids = ["GPU-aa", "GPU-bb", "GPU-cc"]
    assert [index for index, uuid in enumerate(uuids) if _visible(index, uuid, setting)] == visible


def test_slots_have_names_and_unknown_readings_are_none() -> None:
    assert [slot.name for slot in cpu_slots(2)] == ["cpu0", "cpu1"]
    assert len(cpu_slots()) >= 1
    assert gpu_reading(Slot("gpu0", "a GPU that is not there", "GPU-none")).utilisation is None
