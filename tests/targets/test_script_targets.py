"""A script's score is what its pattern finds in what it prints, and every wrong description is one sentence."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest

from orchestrator.errors import LabError
from orchestrator.runs.identity import identity_of
from orchestrator.targets.printed import NoMetric, Summary, progress_of, read_metric, read_summary
from orchestrator.targets.recognition import AUTORESEARCH_METRIC, AUTORESEARCH_PROGRESS
from orchestrator.targets.searching import SEARCHER, OutOfTime
from orchestrator.targets.target import Direction, ScriptTarget, script_target
from tests.conftest import eventually


def script(**changes: Any) -> ScriptTarget:
    values: dict[str, Any] = {
        "command": ("python", "train.py"),
        "editable": ("train.py",),
        "protected": ("prepare.py",),
        "metric": AUTORESEARCH_METRIC,
        "direction": "minimise",
        "progress": AUTORESEARCH_PROGRESS,
        "budget_seconds": 300,
        "timeout_seconds": 600,
    }
    return script_target(**{**values, **changes})


SUMMARY = """step 00001 (3.0%) | loss: 9.1\rstep 00953 (100.0%) | loss: 2.99
---
val_bpb:          0.997900
training_seconds: 300.1
peak_vram_mb:     45060.2
"""


def test_the_summary_block_of_autoresearch_gives_its_score() -> None:
    assert read_metric(SUMMARY, script()) == 0.9979


def test_the_summary_block_tells_steps_and_tokens() -> None:
    block = SUMMARY + "total_tokens_M:   499.6\nnum_steps:        953\nnum_params_M:     50.3\ndepth:            8\n"
    assert read_summary("num_steps: 1\n---\nnum_steps: 2\n" + block) == Summary(953, 499_600_000)
    for text in ("", SUMMARY, "num_steps: 3\n", "---\nnum_steps: many\ntotal_tokens_M: inf\n", "---\nnum_steps: -1\n"):
        assert read_summary(text) == Summary(None, None)


def test_the_last_match_counts() -> None:
    assert read_metric("val_bpb: 3.0\n" + SUMMARY + "val_bpb: 0.5\nbye\n", script()) == 0.5
    assert read_metric("a=1 a=2\nb\n", script(metric=r"a=(\d)")) == 2.0


def test_colours_and_progress_bars_do_not_hide_a_score() -> None:
    assert read_metric("\x1b[1;32mval_bpb:  0.9\x1b[0m\r\n", script()) == 0.9
    assert read_metric("half\rval_bpb: 0.9\rdone", script()) == 0.9


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "printed nothing that target.metric matches"),
        ("Traceback: out of memory\n", "printed nothing that target.metric matches"),
        ("val_bpb: nan\n", "not finite"),
        ("val_bpb: 0.9\nval_bpb: inf\n", "not finite"),
        ("val_bpb: -1e300\n", "'-1e300' as its metric, which is beyond ±1e+09: it has diverged"),
        ("val_bpb: 0.9\nval_bpb: 2000000000\n", "beyond ±1e+09"),
        ("val_bpb: soon\n", "'soon' where target.metric expects a number"),
        ("val_bpb: 1_0\n", "expects a number"),
        ("val_bpb: " + "9" * 5000 + "\n", "printed nothing"),
    ],
)
def test_what_gives_no_score_is_told_in_a_sentence(text: str, words: str) -> None:
    found = read_metric(text, script())
    assert isinstance(found, NoMetric) and words in found.sentence


def test_a_group_that_took_no_part_in_the_match_is_told() -> None:
    found = read_metric("done\n", script(metric=r"done(?: with (\d+))?"))
    assert isinstance(found, NoMetric) and "no number in its group" in found.sentence


def test_progress_is_read_as_per_cent_or_as_done_of_total() -> None:
    assert progress_of("\rstep 00953 (25.0%) | loss: 2.99", script()) == 0.25
    assert progress_of("epoch 3/4", script(progress=r"epoch (\d+)/(\d+)")) == 0.75
    assert progress_of("epoch 9/4", script(progress=r"epoch (\d+)/(\d+)")) == 1.0
    assert progress_of("epoch 1/0", script(progress=r"epoch (\d+)/(\d+)")) is None
    assert progress_of("loss 3", script()) is None
    assert progress_of("step 1 (9.0%)", script(progress="")) is None


def test_a_cost_is_less_where_the_metric_is_better() -> None:
    assert Direction.MAXIMISE.cost(0.9) < Direction.MAXIMISE.cost(0.8)
    assert Direction.MINIMISE.cost(0.8) < Direction.MINIMISE.cost(0.9)
    assert Direction.MAXIMISE.cost(Direction.MAXIMISE.cost(0.9)) == 0.9


@pytest.mark.parametrize(
    ("command", "called"),
    [
        (("uv", "run", "src/fit.py", "--fast"), "fit.py"),
        (("./train", "config.yaml"), "train"),
        (("sh", "train.py"), "train.py"),
    ],
)
def test_a_script_is_called_by_the_file_that_is_run(command: tuple[str, ...], called: str) -> None:
    assert script(command=command).program == called


def test_scores_of_a_script_are_self_reported() -> None:
    assert script().self_reported


@pytest.mark.parametrize(
    ("changes", "words", "remedy"),
    [
        ({"command": ()}, "target.command is empty", "train.py"),
        ({"metric": ""}, "target.metric is empty", "group"),
        ({"metric": "val: ("}, "target.metric is no regular expression", "single quotes"),
        ({"metric": "val: .*"}, "has 0 groups, and one is wanted", "brackets"),
        ({"metric": "(a)(b)"}, "has 2 groups, and one is wanted", "(?:"),
        ({"progress": "(a)(b)(c)"}, "target.progress has 3 groups, and one or two is wanted", "done and total"),
        ({"progress": "%"}, "target.progress has 0 groups", "brackets"),
        ({"protected": ("prepare.py", "train.py")}, "train.py stands in both", "one of the two"),
        ({"editable": ("../train.py",)}, "'../train.py', which is no plain path", "from the top"),
        ({"editable": ("/etc/passwd",)}, "no plain path", "from the top"),
        ({"editable": ("./train.py",)}, "no plain path", "from the top"),
        ({"protected": ("autolab.toml",)}, "the lab's own", "Take it out"),
        ({"editable": (".git/config",)}, "the lab's own", "Take it out"),
        ({"editable": ("a.py", "a.py")}, "'a.py' twice", "one out"),
        ({"timeout_seconds": 200}, "less than run.budget_seconds", "room"),
    ],
)
def test_a_wrong_description_names_the_key_and_the_remedy(changes: dict[str, Any], words: str, remedy: str) -> None:
    with pytest.raises(LabError) as told:
        script(**changes)
    assert words in told.value.sentence and remedy in told.value.remedy


ENDLESS = r"^(?:\w+\s?)+= (\S+)"
"""Tries every way to part a row of letters into words."""


def test_a_pattern_that_would_search_for_ages_is_given_up_and_named() -> None:
    begun = time.monotonic()
    found = read_metric("a" * 60 + "\n", script(metric=ENDLESS), seconds=0.2)
    assert isinstance(found, NoMetric) and "target.metric could not be searched for" in found.sentence
    assert repr(ENDLESS) in found.sentence and "within 0.2 s" in found.sentence
    with pytest.raises(OutOfTime):
        progress_of("a" * 60, script(progress=ENDLESS), seconds=0.2)
    assert time.monotonic() - begun < 30
    assert read_metric("score = 0.5\n", script(metric=ENDLESS)) == 0.5, "the next search begins anew"


async def test_while_a_pattern_is_searched_for_others_go_on() -> None:
    searching = asyncio.create_task(asyncio.to_thread(read_metric, "a" * 60, script(metric=ENDLESS), 0.5))
    turns = 0
    while not searching.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert isinstance(searching.result(), NoMetric) and turns > 10


def test_a_child_that_somebody_has_killed_costs_no_score() -> None:
    assert read_metric(SUMMARY, script()) == 0.9979
    assert SEARCHER._child is not None
    SEARCHER._child.kill()
    assert read_metric(SUMMARY, script()) == 0.9979


def test_a_search_leaves_no_process_when_who_asks_is_killed() -> None:
    asks = (
        "from orchestrator.targets.searching import SEARCHER; import re\n"
        "SEARCHER.last_groups(re.compile('a'), ['a'], 1); print(SEARCHER._child.pid, flush=True)\n"
        f"SEARCHER.last_groups(re.compile({ENDLESS!r}), ['a' * 60], 0.5)"
    )
    with subprocess.Popen([sys.executable, "-c", asks], stdout=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        child = int(asking.stdout.readline())
        asking.kill()
    eventually(lambda: identity_of(child) is None, what="the end of the child")
