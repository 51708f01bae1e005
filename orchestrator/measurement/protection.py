"""The protected files: what judges must be what was installed, in the worktree of a run as on master."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from orchestrator.branches import Repository
from orchestrator.errors import LabError
from orchestrator.runs.provenance import hash_of_files


def installed(path: str) -> Path:
    """The installed original of a protected file. It is found, not imported: nanogpt stands alone."""
    spec = importlib.util.find_spec("nanogpt")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / path


SCORER = ("evaluate.py", "answerer.py", "comparison.py", "likelihood.py", "answer.py", "prepare.py")


@cache
def scorer_hash() -> str:
    """Of the files that judge."""
    return hash_of_files((name, installed(name)) for name in SCORER)


async def check_master(repository: Repository, protected: Sequence[str]) -> None:
    """Raises LabError when master's protected files are not the installed ones, as after an upgrade of Autolab."""
    for path in protected:
        original = installed(path)
        on_master = await asyncio.to_thread(repository.show_file, "refs/heads/master", path)
        if on_master != original.read_bytes():
            raise LabError(
                f"{path} on master differs from the installed one (Autolab was upgraded, or somebody edited it), so"
                " every run would be invalid.",
                f"Take the installed one over: `cp {original} {repository.path}/{path}`, commit it on master, and start"
                " again; the baseline is then measured anew.",
            )
