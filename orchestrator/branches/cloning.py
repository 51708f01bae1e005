"""Another repository's history as the beginning of a lab: cloned, its head made master, the source never touched."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestrator.branches.command import ENVIRONMENT, OVERRIDES, GitFailed, run_git
from orchestrator.branches.repository import MASTER, Repository
from orchestrator.errors import LabError

_URL = re.compile(r"[a-z][a-z0-9+.-]*://\S+|[\w.-]+@[\w.-]+:\S+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clone:
    """A repository on master at the source's last commit. `notes` are sentences on what was not taken over."""

    repository: Repository
    plain_files: tuple[str, ...]  # tracked at that commit
    links: tuple[str, ...]  # symbolic links tracked there
    notes: tuple[str, ...]


def clone(source: str, place: Path) -> Clone:
    """Clone `source`, a path or a URL, into the empty or missing directory `place`.

    Blocks as long as the network does. Raises LabError for what is no repository, or has no commit.
    """
    local = Path(source).expanduser()
    remote = not local.exists() and _URL.fullmatch(source) is not None
    notes = [] if remote else _look_at(local)
    _run_clone(source if remote else str(local.resolve()), source, place)
    try:
        head = Repository(place).head("HEAD")
    except GitFailed as error:
        raise LabError(f"{source} has no commit yet.", "Commit its files there first.") from error
    _stand_on_master(place, head)
    plain, links, modules = _listed(place, head)
    if modules:
        notes.append(f"Submodules ({', '.join(modules)}) are left out: runs do not see them.")
    return Clone(Repository.open(place), plain, links, tuple(notes))


def _look_at(local: Path) -> list[str]:
    """Whether a local source can be cloned; notes on what is not committed there."""
    if not local.is_dir():
        raise LabError(f"There is no repository at {local}.", "Name a git repository by its path or URL.")
    try:
        bare = run_git(local, "rev-parse", "--is-bare-repository") == "true"
        top = local if bare else Path(run_git(local, "rev-parse", "--show-toplevel"))
    except GitFailed as error:
        if "not a git repository" not in error.words:
            raise
        raise LabError(
            f"{local} is not a git repository.", "Make it one: `git init`, `git add` its files, `git commit`."
        ) from error
    if top.resolve() != local.resolve():
        raise LabError(
            f"{local} is not a git repository of its own: it lies inside {top}.",
            f"Name the whole one, {top}, or make it one: `git init`, `git add` its files, `git commit`.",
        )
    if not Repository(local).exists("HEAD"):
        raise LabError(f"{local} has no commit yet.", "Commit its files there first.")
    if bare or not run_git(local, "status", "--porcelain"):
        return []
    commit = run_git(local, "log", "-1", "--format=%h (%s)")
    return [f"What is not committed in {local} is not taken: the lab starts from its last commit, {commit}."]


def _run_clone(source: str, shown: str, place: Path) -> None:
    overrides = [word for override in OVERRIDES for word in ("-c", override)]
    # A copy of every object: nothing of the lab is shared with the source.
    words = ["git", *overrides, "clone", "-q", "--no-hardlinks", "--template=", "--", source, str(place)]
    environment = {**os.environ, **ENVIRONMENT}
    environment.setdefault("GIT_SSH_COMMAND", "ssh -o BatchMode=yes")  # asks for no password
    try:
        git = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, env=environment, check=False)
    except FileNotFoundError as error:
        raise LabError("git is not installed.", "Install git 2.38 or newer.") from error
    if git.returncode != 0:
        said = git.stderr.decode(errors="replace").strip().splitlines()
        fatal = [line.removeprefix("fatal: ") for line in said if line.startswith("fatal: ")] or said
        why = fatal[0] if fatal else f"exit status {git.returncode}"
        raise LabError(f"{shown} cannot be cloned: {why.rstrip('.')}.", f"Try `git clone {shown}` by hand.")


def _stand_on_master(place: Path, head: str) -> None:
    """Let master be the one branch here, at `head`, whatever the source calls its own; the others stay with origin."""
    run_git(place, "update-ref", MASTER, head)
    run_git(place, "symbolic-ref", "HEAD", MASTER)
    for branch in run_git(place, "for-each-ref", "--format=%(refname)", "refs/heads").splitlines():
        if branch != MASTER:
            run_git(place, "update-ref", "-d", branch)


def _listed(place: Path, commit: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The plain files, symbolic links and submodules of a commit."""
    found: dict[str, list[str]] = {"100": [], "120": [], "160": []}
    for entry in run_git(place, "ls-tree", "-r", "-z", "--full-tree", commit, strip=False).split("\0"):
        if entry:
            facts, path = entry.split("\t", 1)
            found[facts[:3]].append(path)
    return tuple(found["100"]), tuple(found["120"]), tuple(found["160"])
