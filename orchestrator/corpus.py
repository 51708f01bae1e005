"""The corpus of a profile, prepared and checked by `python -m nanogpt.corpora` in a process of its own.

Beside it lies what the sandbox shows instead of the standard library's text, which is a corpus itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import LabError
from orchestrator.sandbox import library

Progress = Callable[[str, int, int], None]
"""Called with what is being done, in words, and how much of how much."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Where the splits lie on this machine, and the fingerprint of their content."""

    profile: str
    fingerprint: str
    train: str
    validation: str
    vault: str
    budget_seconds: float  # the profile's usual training budget
    library: Path | None  # Python's standard library as the sandbox shows it; None: with its text


def own_data(profile: str) -> Corpus:
    """No corpus of Autolab's: a target of kind "script" brings its own data, so there are no splits and no budget."""
    return Corpus(profile, "the script's own", "", "", "", 0.0, None)


def prepare_corpus(profile: str, progress: Progress | None = None, *, check: bool = False) -> Corpus:
    """Build the corpus (idempotent, resumable); with `check` only verify that it is there.

    Blocks; raises LabError with the sentence of the preparing process.
    """
    command = [sys.executable, "-m", "nanogpt.corpora", "--profile", profile, *(["--check"] if check else [])]
    last: dict[str, Any] = {}
    with tempfile.TemporaryFile() as complaints:  # a file: a pipe that nobody empties would stop the process
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            encoding="utf-8",
            env={**os.environ, "AUTOLAB_PROFILE": profile},
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                try:
                    last = json.loads(line)
                except ValueError:
                    continue
                if progress is not None and "stage" in last:
                    progress(str(last["stage"]), int(last.get("done", 0)), int(last.get("total", 0)))
            status = process.wait()
        except BaseException:
            process.kill()
            process.wait()
            raise
        complaints.seek(0)
        complaint = complaints.read().decode(errors="replace").strip()
    if "error" in last:
        raise LabError(str(last["error"]), str(last.get("remedy", "")))
    if status != 0 or not last.get("ready"):
        tail = complaint.splitlines()[-1] if complaint else f"exit status {status}"
        raise LabError(f"The corpus of profile {profile} could not be prepared: {tail}.", "Run `autolab doctor`.")
    cache = Path(str(last["train"])).parents[1]
    return Corpus(
        profile=profile,
        fingerprint=str(last["fingerprint"]),
        train=str(last["train"]),
        validation=str(last["validation"]),
        vault=str(last["vault"]),
        budget_seconds=float(last["budget_seconds"]),
        library=_library(cache, progress),
    )


def _library(cache: Path, progress: Progress | None) -> Path:
    try:
        return library.build(cache, progress)
    except OSError as error:
        raise LabError(
            f"The sandbox's library cannot be written at {cache} ({error.strerror or error}).",
            "Free some disk space there, or set AUTOLAB_CACHE to a directory that you can write to.",
        ) from error
