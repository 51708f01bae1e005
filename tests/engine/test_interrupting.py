"""Ctrl-C on `autolab run`: it is answered at once, finishes what runs, and kills it when it comes again."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from tests.conftest import CLI, set_key


def test_ctrl_c_says_at_once_what_it_does_and_the_second_one_kills(lab: Path) -> None:
    set_key(lab, "budget_seconds", "600")  # the run would go on long after the test
    run = subprocess.Popen(
        [*CLI, "run", str(lab), "--experiments", "1"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert run.stdout is not None
    try:
        _until(run, "experiment 0: ")
        for told in ("finishing the runs under way; Ctrl-C again kills them", "killing the runs under way"):
            begin = time.monotonic()
            run.send_signal(signal.SIGINT)
            _until(run, told)
            assert time.monotonic() - begin < 5
        _until(run, "Stopped before its end")
        assert run.wait(60) == 1
    finally:
        run.kill()
        run.stdout.close()
        run.wait()


def _until(run: subprocess.Popen[str], words: str) -> None:
    """Read on until a line has these words; what is read ends with the program."""
    assert run.stdout is not None
    told = []
    for line in run.stdout:
        told.append(line)
        if words in line:
            return
    raise AssertionError(f"{words!r} was not told:\n{''.join(told)}")
