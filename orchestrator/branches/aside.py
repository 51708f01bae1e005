"""A branch beside the research: it shares no commit with master, holds one file, and is never checked out."""

from __future__ import annotations

from pathlib import Path

from orchestrator.branches.command import GitFailed, run_git

AUTHOR = {
    "GIT_AUTHOR_NAME": "autolab",
    "GIT_AUTHOR_EMAIL": "autolab@localhost",
    "GIT_COMMITTER_NAME": "autolab",
    "GIT_COMMITTER_EMAIL": "autolab@localhost",
}


def commit_alone(repository: Path, branch: str, name: str, content: bytes, message: str) -> bool:
    """Commit one file on its own branch; false when it stands there already. Raises GitFailed.

    A branch of that name that holds anything else is somebody's own: it is left alone, and nothing is committed.
    """
    ref = f"refs/heads/{branch}"
    blob = run_git(repository, "hash-object", "-w", "--stdin", stdin=content)
    tree = run_git(repository, "mktree", stdin=f"100644 blob {blob}\t{name}\n".encode())
    old = _head(repository, ref)
    if old is not None:
        if run_git(repository, "ls-tree", "--name-only", old).splitlines() != [name]:
            return False
        if run_git(repository, "rev-parse", f"{old}^{{tree}}") == tree:
            return False
    parent = ["-p", old] if old is not None else []
    commit = run_git(repository, "commit-tree", tree, *parent, "-F", "-", stdin=f"{message}\n".encode(), env=AUTHOR)
    run_git(repository, "update-ref", ref, commit, old or "0" * len(commit))
    return True


def exclude(repository: Path, name: str) -> None:
    """Let git overlook an untracked file of this clone, without touching a tracked .gitignore."""
    path = Path(run_git(repository, "rev-parse", "--path-format=absolute", "--git-path", "info/exclude"))
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    if f"/{name}" not in lines:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*lines, f"/{name}"]) + "\n", encoding="utf-8")


def _head(repository: Path, ref: str) -> str | None:
    try:
        return run_git(repository, "rev-parse", "--verify", "--quiet", ref)
    except GitFailed:
        return None
