"""Everything git: the lab's repository, worktrees, branches, and a master that moves only as it was measured."""

from orchestrator.branches.merging import Conflict
from orchestrator.branches.own_checkout import Update
from orchestrator.branches.repository import NotMeasuredAsItStands, PatchDoesNotApply, Repository

__all__ = ["Conflict", "NotMeasuredAsItStands", "PatchDoesNotApply", "Repository", "Update"]
