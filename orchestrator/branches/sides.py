"""The two sides of a rebase, so that nothing but the commit's own change comes along."""

from __future__ import annotations

from pathlib import Path

from orchestrator.branches.aside import AUTHOR
from orchestrator.branches.command import run_git


def sides(repository: Path, onto: str, commit: str) -> tuple[str, str]:
    """What to merge to bring the change of `commit` onto `onto`: both as they are, where the merge base is the parent.

    On another line of commits it is not, and a merge would bring everything since the lines parted. Both are put on
    top of the parent then: git 2.38 takes no merge base by hand.
    """
    parent = run_git(repository, "rev-parse", "--verify", f"{commit}~")
    if run_git(repository, "merge-base", onto, commit) == parent:
        return onto, commit
    trees = [run_git(repository, "rev-parse", "--verify", f"{side}^{{tree}}") for side in (onto, commit)]
    ours, theirs = (
        run_git(repository, "commit-tree", tree, "-p", parent, "-m", "a side", env=AUTHOR) for tree in trees
    )
    return ours, theirs
