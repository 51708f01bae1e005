"""What the tests of the target share: worktrees like a lab's, real runs in them, an environment that is put back."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from nanogpt import evaluate
from nanogpt import prepare as installed

INSTALLED = Path(evaluate.__file__).parent


@contextlib.contextmanager
def kept_environment() -> Iterator[None]:
    """train.py takes its orders from the environment; whatever a test puts there goes with it."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def lay_out(place: Path, train_py: str | None = None) -> Path:
    """A directory like a lab's worktree: train.py with prepare.py beside it."""
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy(INSTALLED / "prepare.py", place)
    (place / "train.py").write_text(train_py or (INSTALLED / "train.py").read_text())
    return place


def load_train_py(path: Path) -> ModuleType:
    """Import a train.py as the trainer's interpreter does, with the installed prepare as its `prepare`."""
    sys.modules["prepare"] = installed
    spec = importlib.util.spec_from_file_location("train", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def train(worktree: Path, corpus: Path, profile: str = "cpu", seconds: float = 1.0) -> Path:
    """Run train.py as the harness does; returns the run's directory."""
    run = worktree / "run"
    run.mkdir()
    orders = {
        "AUTOLAB_PROFILE": profile,
        "AUTOLAB_RUN_DIR": str(run),
        "AUTOLAB_SEED": "1",
        "AUTOLAB_BUDGET_SECONDS": str(seconds),
        "AUTOLAB_TRAIN_DATA": str(corpus / "train"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "train.py"],
        cwd=worktree,
        env={**os.environ, **orders},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (run / "printed").write_text(done.stdout)
    return run


def curve(run: Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def prepare(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `python -m nanogpt.corpora`."""
    return subprocess.run(
        [sys.executable, "-m", "nanogpt.corpora", *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **(env or {})},
        check=False,
    )


def last_line(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The last JSON line that `prepare` printed."""
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
