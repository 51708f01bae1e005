"""Where things are in a lab, and which lab a command means."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from orchestrator.errors import LabError


@dataclass(frozen=True, slots=True)
class Lab:
    """The paths of one lab."""

    root: Path

    @property
    def settings_file(self) -> Path:
        return self.root / "autolab.toml"

    @property
    def database(self) -> Path:
        return self.root / "runs.db"

    @property
    def program_file(self) -> Path:
        return self.root / "program.md"

    @property
    def roles(self) -> Path:
        return self.root / "roles"

    @property
    def hidden(self) -> Path:
        return self.root / ".autolab"

    @property
    def lock_file(self) -> Path:
        return self.hidden / "daemon.lock"

    @property
    def identity_file(self) -> Path:
        return self.hidden / "daemon.json"

    @property
    def daemon_log(self) -> Path:
        return self.hidden / "daemon.log"

    @property
    def worktrees(self) -> Path:
        return self.hidden / "worktrees"

    @property
    def runs(self) -> Path:
        return self.hidden / "runs"

    @property
    def notebook_file(self) -> Path:
        return self.root / "notebook.md"

    @property
    def smoke_runs(self) -> Path:
        return self.hidden / "smoke"

    @property
    def vault(self) -> Path:
        return self.hidden / "vault"

    @property
    def agents(self) -> Path:
        return self.hidden / "agents"

    @property
    def trackio(self) -> Path:
        return self.hidden / "trackio"

    @property
    def results_tsv(self) -> Path:
        return self.hidden / "results.tsv"

    @property
    def results_json(self) -> Path:
        return self.hidden / "results.json"

    def run_directory(self, run_id: int) -> Path:
        return self.runs / str(run_id)

    def agent_log(self, name: str) -> Path:
        return self.agents / f"{name}.log"

    @property
    def exists(self) -> bool:
        """Also without its settings, as long as its record is there: a lab at work can be stopped then."""
        return self.settings_file.is_file() or self.database.is_file()


def find_lab(given: str | None) -> Lab:
    """The lab that a command means: the one given, else the current directory, else ./lab.

    Raises LabError when there is none there.
    """
    if given is not None:
        lab = Lab(Path(given).expanduser().resolve())
        if lab.exists:
            return lab
        if lab.root.is_dir() and any(lab.root.iterdir()):
            raise LabError(
                f"{lab.root} is not a lab: it has no autolab.toml.",
                "Name a lab, or an empty directory to `autolab init`.",
            )
        raise LabError(f"There is no lab at {lab.root}.", f"Make one with `autolab init {shlex.quote(given)}`.")
    for candidate in (Path.cwd(), Path.cwd() / "lab"):
        if Lab(candidate).exists:
            return Lab(candidate.resolve())
    raise LabError(f"There is no lab in {Path.cwd()} nor in ./lab.", "Make one with `autolab init lab`.")


@dataclass(frozen=True, slots=True)
class DaemonIdentity:
    """Who holds the lab: written by the daemon when it is ready to answer."""

    pid: int
    started_at: str
    mode: str  # "daemon", or "run" for `autolab run` in the foreground


def daemon_of(lab: Lab) -> DaemonIdentity | None:
    """The daemon that holds this lab's lock now, or None.

    The lock decides, not the file: a daemon that was killed leaves its file behind but never its lock.
    """
    try:
        descriptor = os.open(lab.lock_file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        return None
    finally:
        os.close(descriptor)
    try:
        facts = json.loads(lab.identity_file.read_text())
        identity = DaemonIdentity(int(facts["pid"]), str(facts["started_at"]), str(facts["mode"]))
    except (OSError, ValueError, KeyError):
        return None
    return identity if _lives(identity.pid) else None


def _lives(pid: int) -> bool:
    """Whether a process is more than a corpse: one that was killed keeps its locks until its last thread is gone."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


DYING_SECONDS = 10.0
"""The longest that a killed daemon is given to let its lab go."""


class LabLock:
    """The right to write a lab's state, held for life by one process.

    The descriptor is close-on-exec: a child process never keeps the lock of a dead daemon.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._descriptor: int | None = None

    def acquire(self, patience: float = 1.0) -> None:
        """Raises LabError when another process holds the lab, or when the directory cannot be written.

        Clients hold the lock for an instant to look whether a daemon lives: `patience` (seconds) outlasts that. Of one
        that was killed the lock is waited for longer.
        """
        try:
            self._lab.hidden.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._lab.lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LabError(
                f"The lab {self._lab.root} cannot be written ({error.strerror}).",
                "Check the owner and the permissions of the directory, and the free disk space.",
            ) from error
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = daemon_of(self._lab)
                if time.monotonic() < deadline + (DYING_SECONDS if holder is None else 0.0):
                    time.sleep(0.05)
                    continue
                os.close(descriptor)
                who = f"process {holder.pid}" if holder else "another process"
                raise LabError(
                    f"The lab {self._lab.root} is held by {who} already.",
                    "Watch it with `autolab-tui`, or end it with `autolab stop`.",
                ) from None
            self._descriptor = descriptor
            return

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
