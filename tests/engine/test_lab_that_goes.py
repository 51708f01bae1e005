"""A lab that is deleted under its daemon ends with everything that belongs to it, and nothing of it is made anew."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import psutil

from orchestrator.lab import Lab, daemon_of
from orchestrator.runs.foothold import Foothold
from tests.command_line import autolab
from tests.conftest import eventually, set_key


def of_the_lab(root: Path) -> list[str]:
    """The processes that have the lab's path among their words: daemon, recorder, supervisors and what they run."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if any(str(root) in word for word in words) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(" ".join(words))
    return found


def test_a_lab_that_is_deleted_ends_its_daemon_its_runs_and_its_recorder(measured: Path) -> None:
    set_key(measured, "budget_seconds", "60")
    assert autolab("start", str(measured)).returncode == 0
    eventually(lambda: any("supervisor" in words for words in of_the_lab(measured)), 90, "a run")
    eventually(lambda: any("recorder" in words for words in of_the_lab(measured)), 90, "the recorder")
    deadline = time.monotonic() + 20
    while measured.exists() and time.monotonic() < deadline:  # what is written meanwhile may hold it up
        shutil.rmtree(measured, ignore_errors=True)
    eventually(lambda: not of_the_lab(measured), 20, "the end of all its processes")
    assert not measured.exists()


def test_a_lab_in_trouble_heeds_the_signal_that_ends_it(measured: Path) -> None:
    assert autolab("start", str(measured)).returncode == 0
    daemon = daemon_of(Lab(measured))
    assert daemon is not None
    (measured / ".git").rename(measured.parent / "git-elsewhere")
    eventually(lambda: "not a git repository" in Lab(measured).daemon_log.read_text(), 30, "the trouble")
    os.kill(daemon.pid, signal.SIGTERM)
    eventually(lambda: daemon_of(Lab(measured)) is None, 30, "the daemon's end")
    (measured.parent / "git-elsewhere").rename(measured / ".git")


def test_a_foothold_is_gone_when_another_stands_in_its_place_and_not_when_something_is_written(tmp_path: Path) -> None:
    place, file = tmp_path / "lab", tmp_path / "lab" / "runs.db"
    place.mkdir()
    file.write_text("a")
    foothold = Foothold(place, file, tmp_path / "never there")
    file.write_text("b")
    (place / "more").mkdir()
    assert not foothold.gone
    shutil.copy(file, place / "copy")
    os.replace(place / "copy", file)
    assert foothold.gone, "the one that was open is no more"
    other = Foothold(place)
    place.rename(tmp_path / "elsewhere")
    assert other.gone
    place.mkdir()
    assert other.gone
