"""A stop that lets runs finish is called off by a start: the very daemon goes on, and who had asked hears of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.command_line import autolab
from tests.conftest import CLI, eventually, set_key


def test_a_start_calls_a_stop_off_while_runs_finish_and_the_lab_goes_on(measured: Path) -> None:
    def status() -> dict[str, object]:
        found = json.loads(autolab("status", "--json", str(measured)).stdout)
        assert isinstance(found, dict)
        return found

    def runs() -> set[int]:
        return {slot["run"] for slot in status()["slots"] if slot["run"]}  # type: ignore[attr-defined]

    set_key(measured, "budget_seconds", "10")
    assert autolab("start", str(measured)).returncode == 0
    eventually(lambda: runs(), 90, "a run")
    stopping = subprocess.Popen(
        [*CLI, "stop", str(measured)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    eventually(lambda: status()["stopping"], 30, "the stop")
    told = autolab("status", str(measured)).stdout
    assert "; stopping, 1 run to finish first: `autolab start" in told, told
    events = [event["reason"] for event in json.loads(autolab("events", "--json", str(measured)).stdout)]
    assert any(reason.startswith("the lab is to stop: 1 run under way to finish first") for reason in events), events
    before, pid = runs(), status()["pid"]

    started = autolab("start", str(measured))
    assert started.returncode == 0 and "The stop is called off; the lab goes on." in started.stdout, started.stdout
    _, said = stopping.communicate(timeout=30)
    assert stopping.returncode == 1 and "The lab has not stopped: called off by " in said
    eventually(lambda: runs() - before, 120, "the next run")
    after = status()
    assert (after["pid"], after["stopping"], after["running"]) == (pid, False, True)
    assert autolab("stop", "--now", str(measured)).returncode == 0
    assert status()["running"] is False
