"""What tests share: one small cache of the corpus, labs with a tiny budget, and waiting for a condition."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nanogpt.corpora import fingerprint
from orchestrator.create import create_lab
from orchestrator.lab import Lab
from orchestrator.runs import local_executor
from orchestrator.runs.slots import device_kind
from orchestrator.store.records import RunKind
from orchestrator.store.writer import Measurement, Place, Writer
from tests import command_line
from tests.command_line import autolab

CLI = [sys.executable, "-m", "orchestrator.cli.main"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--exhaustive", action="store_true", help="every attack and every honest patch")


@pytest.fixture(scope="session", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of its own for the whole session; no key, network setting or git identity of the person who runs the
    tests."""
    cache = tmp_path_factory.mktemp("cache")
    before = dict(os.environ)
    os.environ["AUTOLAB_CACHE"] = str(cache)
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["GIT_CONFIG_GLOBAL"] = os.environ["GIT_CONFIG_SYSTEM"] = os.devnull
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "AUTOLAB_PROFILE", "AUTOLAB_RUN_DIR", "GIT_DIR"):
        os.environ.pop(name, None)
    command_line.begin()
    yield cache
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def corpus(surroundings: Path, request: pytest.FixtureRequest) -> Path:
    """The cpu corpus, built once; unless all is wanted, what is scored is a part of it, evenly spread: most runs here
    are scored, and 256 windows are scored like 1024."""
    subprocess.run(
        [sys.executable, "-m", "nanogpt.corpora", "--profile", "cpu"],
        check=True,
        capture_output=True,
        env={**os.environ, "AUTOLAB_PROFILE": "cpu"},
    )
    built = surroundings / "cpu"
    if not request.config.getoption("--exhaustive"):
        for split in ("validation", "vault"):
            tokens = (built / split / "tokens.bin").read_bytes()
            spread = range(0, len(tokens) - 512, len(tokens) // 65)[:65]
            (built / split / "tokens.bin").write_bytes(b"".join(tokens[start : start + 512] for start in spread))
        ready = json.loads((built / "ready.json").read_text())
        (built / "ready.json").write_text(json.dumps({**ready, "fingerprint": fingerprint(built)}))
    return built


def eventually(condition: Callable[[], object], timeout: float = 60, what: str = "the condition") -> object:
    """Wait until `condition()` is true, and return what it gave."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} has not come true within {timeout:g} s")


def set_key(root: Path, key: str, value: str) -> None:
    """Set a key of a lab's autolab.toml; one that stands there as a comment only is uncommented."""
    path = root / "autolab.toml"
    text, count = re.subn(rf"^{key} = .*$", f"{key} = {value}", path.read_text(), flags=re.MULTILINE)
    if not count:
        text, count = re.subn(rf"^# {key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE)
    assert count == 1, f"{key} stands {count} times in autolab.toml"
    path.write_text(text)


@pytest.fixture
def lab(tmp_path: Path, corpus: Path) -> Iterator[Path]:
    """A cpu lab with a budget of one second and one slot, at a path with a space and an umlaut; stopped at the end.

    On a second slot there would only be runs that no test waits for, beside those of other tests."""
    root = tmp_path / "mein Läb"
    made = autolab("init", str(root), "--profile", "cpu")
    assert made.returncode == 0, made.stderr
    set_key(root, "budget_seconds", "1")
    set_key(root, "slots", "1")
    yield root
    autolab("stop", "--now", str(root))


@pytest.fixture
def bare(tmp_path: Path, corpus: Path) -> Path:
    """A lab like `lab`, made in this process and never started: for tests of what works on its files and store."""
    root = tmp_path / "mein Läb"
    asyncio.run(create_lab(root, "cpu"))
    set_key(root, "budget_seconds", "1")
    return root


@pytest.fixture
def measured(lab: Path) -> Path:
    """A lab whose baseline is on record, better than anything its budget can reach: every screen is discarded at once,
    and no test waits for the runs of a baseline that it does not ask about."""
    asyncio.run(record_baseline(Lab(lab)))
    return lab


async def record_baseline(lab: Lab) -> None:
    """Three scores of the start that nothing in a test can beat."""
    place = Place("cpu0", device_kind(local_executor("cpu", 1).slots()[0]), "off")
    async with Writer(lab.database) as store:
        start = await store.experiment(0)
        assert start is not None and start.commit_id is not None
        for seed, score in enumerate((0.99, 1.0, 1.01), start=1):
            run = await store.begin_run(start, RunKind.BASELINE, seed, place, start.commit_id)
            await store.end_run(run.id, Measurement("scored", "on record", score, training_seconds=1.0))
