"""Who holds a lab: the lock decides, and of a daemon that was killed it is waited for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from orchestrator.lab import Lab, LabLock, daemon_of
from orchestrator.store.records import utc_now
from tests.command_line import autolab
from tests.conftest import eventually

KILLED = """
import json, os, sys, time
from pathlib import Path
from orchestrator.lab import Lab, LabLock
from orchestrator.store.records import utc_now
lab = Lab(Path(sys.argv[1]))
LabLock(lab).acquire()
lab.identity_file.write_text(json.dumps({"pid": os.getpid(), "started_at": utc_now(), "mode": "daemon"}))
if os.fork() == 0:
    time.sleep(2)  # as a thread in the middle of a write keeps the files of a process that was killed
    os._exit(0)
os._exit(1)
"""


def test_a_killed_daemon_that_still_has_the_lock_is_not_at_work_and_the_next_one_waits_for_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "lab")
    begin = time.monotonic()
    daemon = subprocess.Popen([sys.executable, "-c", KILLED, str(lab.root)])
    eventually(lambda: psutil.Process(daemon.pid).status() == psutil.STATUS_ZOMBIE, 20, "the daemon's end")
    assert daemon_of(lab) is None
    lock = LabLock(lab)
    lock.acquire()
    assert time.monotonic() - begin > 1.5, "nobody has it twice"
    lock.release()
    daemon.wait()
    assert os.path.exists(lab.identity_file)


def test_a_run_of_a_lab_at_work_is_refused_at_once_with_the_way_to_watch_it(bare: Path) -> None:
    lab = Lab(bare)
    lock = LabLock(lab)
    lock.acquire()
    try:
        lab.identity_file.write_text(json.dumps({"pid": os.getpid(), "started_at": utc_now(), "mode": "daemon"}))
        refused = autolab("run", str(bare), "--experiments", "1")
    finally:
        lock.release()
    assert refused.returncode == 1 and refused.stdout == ""
    assert f"is at work already (process {os.getpid()})" in refused.stderr and "Watch it with `" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
