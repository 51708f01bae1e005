"""One experiment's change on another base, as a branch of its own; no checkout is touched and nothing else moves."""

from __future__ import annotations

import re

from orchestrator.branches import naming
from orchestrator.branches.command import GitFailed, run_git, run_git_bytes
from orchestrator.branches.repository import Repository
from orchestrator.errors import LabError

AUTHOR = {
    "GIT_AUTHOR_NAME": "autolab",
    "GIT_AUTHOR_EMAIL": "autolab@localhost",
    "GIT_COMMITTER_NAME": "autolab",
    "GIT_COMMITTER_EMAIL": "autolab@localhost",
}
MOST_NAMES = 1000


def resolve(repository: Repository, base: str) -> str | None:
    """The commit that a person means by a branch, a tag or (part of) a commit's number; None where there is none."""
    word = base.strip()
    if not word or "\0" in word or any(character.isspace() for character in word):
        return None
    for ref in (f"refs/heads/{word}", f"refs/tags/{word}"):
        if repository.exists(ref):
            return repository.head(ref)
    return repository.head(word) if re.fullmatch(r"[0-9a-f]{4,64}", word) and repository.exists(word) else None


def is_in(repository: Repository, commit: str, base: str) -> bool:
    """Whether the commit is `base` or one that it was built on."""
    return run_git(repository.path, "rev-list", "--count", f"{base}..{commit}") == "0"


def pick(repository: Repository, parent: str, commit: str, base: str, name: str, called: str = "") -> tuple[str, str]:
    """Put the change from `parent` to `commit` on the commit `base`; returns the new branch and its commit.

    `called` is what the person calls the base. The branch is `name`, or `name-2` and so on where that is taken.
    Raises LabError when the change does not fit there, or is there already.
    """
    called = called or base[:9]
    tree = _merged(repository, parent, commit, base, called)
    if tree == repository.tree(base):
        raise LabError(f"{called} holds that change already.", "There is nothing to pick.")
    message = repository.message(commit).rstrip() + f"\nPicked-From: {commit}\n"
    author, date = run_git(repository.path, "log", "-1", "--format=%an%x00%aI", commit).split("\0")
    person = {**AUTHOR, "GIT_AUTHOR_NAME": author, "GIT_AUTHOR_DATE": date}
    made = run_git(repository.path, "commit-tree", tree, "-p", base, "-F", "-", stdin=message.encode(), env=person)
    for number in range(1, MOST_NAMES):
        branch = name if number == 1 else f"{name}-{number}"
        ref = f"refs/heads/{branch}"
        if not repository.exists(ref) and repository.advance(ref, made, "0" * len(made)):
            return branch, made
    raise LabError(f"There are {MOST_NAMES} branches {name} already.", "Delete some with `git branch -D`.")


def _merged(repository: Repository, parent: str, commit: str, base: str, called: str) -> str:
    """The tree of `base` with the change in it; raises LabError on a conflict."""
    # git 2.38 takes no merge base by hand: both sides are put on top of the parent, so that it is the only one.
    sides = [
        run_git(repository.path, "commit-tree", repository.tree(side), "-p", parent, "-m", "a side", env=AUTHOR)
        for side in (base, commit)
    ]
    try:
        return run_git(repository.path, "merge-tree", "--write-tree", "--no-messages", *sides)
    except GitFailed as error:
        if error.status != 1:
            raise
    changed = run_git(repository.path, "diff", "--name-only", parent, commit).splitlines()
    raise LabError(
        f"The change does not fit on {called}: the same lines of {', '.join(changed)} read otherwise there.",
        "Pick it onto a base nearer to the commit that it was made on, or put it there by hand.",
    )


def patch_text(repository: Repository, commit: str) -> bytes:
    """A commit as `git am` takes it: author, date, message and unified diff."""
    return run_git_bytes(repository.path, "format-patch", "--stdout", "--no-signature", "-1", commit, strip=False)


def pick_name(label: str, title: str) -> str:
    """`pick/12-muon`."""
    return f"pick/{label}-{naming.slug(title)}"
