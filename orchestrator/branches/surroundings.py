"""The git repository of a person's own that a new lab stands in, if it does."""

from __future__ import annotations

from pathlib import Path

from orchestrator.branches.command import GitFailed, run_git


def note_on_surroundings(root: Path) -> str:
    """What to do where the lab at `root` lies open in another repository; empty where nothing is to do."""
    try:
        top = Path(run_git(root.parent, "rev-parse", "--show-toplevel"))
        ignored = run_git(root.parent, "check-ignore", str(root), accept=(0, 1))
    except GitFailed:  # no repository, or none that would ever list it
        return ""
    if ignored or not root.is_relative_to(top):
        return ""
    return f"The lab stands in the git repository {top}: add /{root.relative_to(top)}/ to its .gitignore."
