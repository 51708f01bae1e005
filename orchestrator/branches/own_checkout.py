"""The lab's own checkout, in which a person looks and works: brought to master; no edit of theirs is ever touched."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from orchestrator.branches.command import GitFailed, run_git

CHECKOUT = "refs/autolab/checkout"
"""Remembers the commit that the files were brought to last, so that a kill half-way is understood."""


@dataclass(frozen=True, slots=True)
class Update:
    """What became of the lab's own checkout."""

    updated: bool
    sentence: str


def note(path: Path, commit: str) -> None:
    """The files stand on this commit."""
    run_git(path, "update-ref", CHECKOUT, commit)


def update(path: Path, master: str, new: str) -> Update:
    """Bring the files of the repository at `path` to `new`, where the ref `master` stands. Raises LabError."""
    try:
        branch = run_git(path, "symbolic-ref", "--quiet", "HEAD")
    except GitFailed:
        return Update(False, "the lab's checkout is on no branch; it is left alone")
    if branch != master:
        return Update(False, f"the lab's checkout is on {branch.removeprefix('refs/heads/')}; it is left alone")
    old = _noted(path) or new
    moved = run_git(path, "diff", "--name-only", old, new).splitlines()
    if not moved or not _staged(path, new, moved):
        note(path, new)
        return Update(True, "the lab's checkout stands on master")
    # Only the files that master changes need be clean; git leaves every other edit as it is.
    edited = sorted({*_staged(path, old, moved), *_edited(path, moved)})
    if edited:
        return Update(
            False, f"the lab's checkout stays where it is: a person's edits ({', '.join(edited)}) are left alone"
        )
    try:
        run_git(path, "read-tree", "-m", "-u", old, new)
    except GitFailed as error:
        return Update(False, f"the lab's checkout stays where it is: {error.reason}")
    note(path, new)
    return Update(True, "the lab's checkout stands on the new master")


def _noted(path: Path) -> str | None:
    try:
        return run_git(path, "rev-parse", "--verify", "--quiet", f"{CHECKOUT}^{{commit}}")
    except GitFailed as error:
        if error.status == 1:
            return None
        raise


def _staged(path: Path, commit: str, paths: list[str]) -> list[str]:
    """Those of `paths` whose index entry differs from the commit's."""
    return run_git(path, "diff-index", "--cached", "--name-only", commit, "--", *paths).splitlines()


def _edited(path: Path, paths: list[str]) -> list[str]:
    """Those of `paths` whose content differs from the index."""
    with contextlib.suppress(GitFailed):  # says that files need an update: the next command lists them
        run_git(path, "update-index", "-q", "--refresh")
    return run_git(path, "diff-files", "--name-only", "--", *paths).splitlines()
