"""The lab's repository. All methods block, are safe in several threads, and may be cut off anywhere.

master moves only by compare-and-swap to a commit whose tree is one that was measured. Nothing that a commit ever held
is thrown away: what a branch stood on before is kept under refs/autolab/kept/.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.branches import aside, naming, own_checkout
from orchestrator.branches.command import GitFailed, run_git, run_git_bytes
from orchestrator.branches.leftovers import stale_locks
from orchestrator.branches.merging import Conflict, apply_as_made, merged_tree
from orchestrator.branches.own_checkout import Update
from orchestrator.branches.refs import Heads
from orchestrator.branches.sides import sides
from orchestrator.errors import LabError

MASTER = "refs/heads/master"
LEAST_VERSION = (2, 38)
EMAIL = "autolab@localhost"


class PatchDoesNotApply(LabError):
    """A diff that git cannot apply, or that touches what it may not."""


class NotMeasuredAsItStands(LabError):
    """Merging this would give master a tree that no run has measured."""


def _person(name: str) -> dict[str, str]:
    clean = re.sub(r"[<>\n]", "", name).strip() or "Autolab"
    return {
        "GIT_AUTHOR_NAME": clean,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_COMMITTER_NAME": "Autolab",
        "GIT_COMMITTER_EMAIL": EMAIL,
    }


class Repository:
    """One git repository with a work tree at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._worktree_turn = threading.Lock()
        self._heads = Heads(path, lambda ref: self.head(ref) if self.exists(ref) else None)

    branch_name = staticmethod(naming.branch_name)

    # -- making and opening

    @classmethod
    def create(cls, path: Path, files: Mapping[str, bytes], message: str, ignored: Iterable[str]) -> Repository:
        """A new repository on master with one commit of `files`. Raises LabError."""
        _require_version()
        run_git(path, "init", "-q", "-b", "master", "--template=", ".")
        repository = cls(path)
        repository.commit_files({**files, ".gitignore": ("\n".join(ignored) + "\n").encode()}, message)
        return repository

    def commit_files(self, files: Mapping[str, bytes], message: str) -> None:
        """Write files into a new lab's own checkout and commit them on master, where nobody works yet."""
        for name, content in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        if not self._config("user.name"):
            run_git(self.path, "config", "user.name", "Autolab")
        if not self._config("user.email"):
            run_git(self.path, "config", "user.email", EMAIL)
        run_git(self.path, "add", "--force", "--", *files)  # whatever a .gitignore says
        run_git(self.path, "commit", "-q", "--allow-empty", "--no-verify", "-m", message, env=_person("Autolab"))
        own_checkout.note(self.path, self.head(MASTER))

    @classmethod
    def open(cls, path: Path) -> Repository:
        """Raises LabError with a remedy when this is no repository that a lab can work in."""
        _require_version()
        repository = cls(path)
        if run_git(path, "rev-parse", "--is-bare-repository") == "true":
            raise LabError(f"{path} is a bare repository.", "A lab needs a work tree: clone it.")
        top = run_git(path, "rev-parse", "--show-toplevel")
        if Path(top).resolve() != path.resolve():
            raise LabError(
                f"{path} is not a git repository of its own (it lies inside {top}).", "Restore its .git directory."
            )
        if not repository.exists(MASTER):
            raise LabError(
                f"The repository {path} has no branch master.", "Name its main branch so: `git branch -m master`."
            )
        return repository

    def _config(self, key: str) -> str:
        try:
            return run_git(self.path, "config", "--get", key)
        except GitFailed:
            return ""

    # -- looking

    def head(self, ref: str = MASTER) -> str:
        return run_git(self.path, "rev-parse", "--verify", f"{ref}^{{commit}}")

    def seen_head(self, ref: str) -> str | None:
        """The commit of a full ref, None where there is none; cheap enough to be asked for all the time."""
        return self._heads.of(ref)

    def exists(self, ref: str) -> bool:
        try:
            run_git(self.path, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        except GitFailed as error:
            if error.status == 1 or "Needed a single revision" in error.words:
                return False
            raise
        return True

    def head_of(self, worktree: Path) -> str:
        """The commit that a worktree stands on."""
        return run_git(worktree, "rev-parse", "--verify", "HEAD^{commit}")

    def parents(self, commit: str) -> list[str]:
        return run_git(self.path, "rev-list", "--parents", "-n", "1", commit).split()[1:]

    def message(self, commit: str) -> str:
        return run_git(self.path, "log", "-1", "--format=%B", commit)

    def tree(self, commit: str) -> str:
        return run_git(self.path, "rev-parse", "--verify", f"{commit}^{{tree}}")

    def show_file(self, commit: str, path: str) -> bytes:
        return run_git_bytes(self.path, "cat-file", "blob", f"{commit}:{path}", strip=False)

    def diff(self, base: str, commit: str) -> str:
        """Unified diff from base to commit."""
        return run_git(self.path, "diff", "--no-ext-diff", "--no-textconv", base, commit, "--", strip=False)

    def uncommitted_diff(self, worktree: Path) -> str:
        return run_git(worktree, "diff", "--no-ext-diff", "--no-textconv", "HEAD", "--", strip=False)

    # -- worktrees

    def checkout_commit(self, worktree: Path, commit: str) -> None:
        """A worktree of its own at a commit, on no branch; whatever was left there by a crash is cleared away."""
        with self._worktree_turn:
            self._clear_worktree(worktree)
            run_git(self.path, "worktree", "add", "-q", "--detach", "--force", str(worktree), commit)

    def remove_worktree(self, worktree: Path) -> None:
        with self._worktree_turn:
            self._clear_worktree(worktree)

    def _clear_worktree(self, worktree: Path) -> None:
        if not worktree.exists():
            return
        try:
            run_git(self.path, "worktree", "remove", "--force", "--force", str(worktree))
        except GitFailed:
            shutil.rmtree(worktree, ignore_errors=True)
            run_git(self.path, "worktree", "prune")

    def prune(self, keep: Iterable[Path] = (), directory: Path | None = None) -> list[str]:
        """Clear away what a crash left: stale locks, and worktrees below `directory` that are not in `keep`.

        Returns a sentence for each thing that was removed.
        """
        told = []
        git_directory = Path(run_git(self.path, "rev-parse", "--absolute-git-dir"))
        for lock in stale_locks(git_directory):
            lock.unlink(missing_ok=True)
            told.append(f"removed {lock.relative_to(git_directory)}, left behind by a git that was killed")
        kept = {path.resolve() for path in keep}
        if directory is not None and directory.is_dir():
            for worktree in directory.iterdir():
                if worktree.resolve() not in kept:
                    self.remove_worktree(worktree)
                    told.append(f"removed the worktree {worktree.name}, left behind by a daemon that was killed")
        run_git(self.path, "worktree", "prune")
        return told

    # -- patches

    def apply_patch(self, worktree: Path, diff: str, editable: Iterable[str]) -> None:
        """Apply a person's unified diff to a worktree. Raises PatchDoesNotApply with the file and line."""
        content = (diff if diff.endswith("\n") else diff + "\n").encode()
        allowed = set(editable)
        try:
            counted = run_git(worktree, "apply", "--numstat", "-z", "-", stdin=content)
        except GitFailed as error:
            raise PatchDoesNotApply(
                f"The patch is not a unified diff that git understands ({error.reason}).",
                "Make it with `git diff` against master.",
            ) from error
        touched = [entry.split("\t", 2)[2] for entry in counted.split("\0") if entry.count("\t") >= 2]
        foreign = [path for path in touched if path not in allowed]
        if foreign or not touched:
            what = f"touches {', '.join(foreign)}" if foreign else "changes no file"
            raise PatchDoesNotApply(f"The patch {what}.", f"It may change: {', '.join(sorted(allowed))}.")
        summary = run_git(worktree, "apply", "--summary", "-", stdin=content)
        if summary.strip():
            raise PatchDoesNotApply(
                f"The patch does more than change lines ({summary.strip().splitlines()[0].strip()}).",
                "Keep to lines of the editable files.",
            )
        try:
            run_git(worktree, "apply", "--whitespace=nowarn", "-", stdin=content)
        except GitFailed as error:
            if apply_as_made(worktree, content, touched):
                return
            raise PatchDoesNotApply(
                f"The patch does not apply to master ({error.reason}).",
                "Make it anew with `git diff` against the present master.",
            ) from error

    def commit(self, worktree: Path, title: str, body: str, trailers: Mapping[str, str], author: str) -> str:
        """Commit everything that is changed in a worktree; returns the commit."""
        message = naming.commit_message(title, body, trailers)
        run_git(worktree, "add", "-u")
        run_git(
            worktree,
            *("commit", "-q", "--no-verify", "--cleanup=verbatim", "-F", "-"),
            stdin=message.encode(),
            env=_person(author),
        )
        return self.head_of(worktree)

    # -- branches

    def set_branch(self, branch: str, commit: str) -> str:
        """Let an experiment's branch stand on `commit`; returns the branch's name.

        What it stood on before is kept. A branch of that name that is not this experiment's is left alone: the next
        free name is taken.
        """
        experiment = naming.trailer(self.message(commit), "Experiment")
        name, number = branch, 1
        while True:
            ref = f"refs/heads/{name}"
            if not self.exists(ref) and self.advance(ref, commit, "0" * len(commit)):
                return name
            old = self.head(ref)
            if old == commit:
                return name
            if naming.trailer(self.message(old), "Experiment") == experiment:
                run_git(self.path, "update-ref", f"refs/autolab/kept/{old}", old)
                if self.advance(ref, commit, old):
                    return name
                continue
            number += 1
            name = f"{branch}-{number}"

    def rebase(self, commit: str, onto: str) -> str | Conflict:
        """The same change on another commit, without a checkout; the old commit is kept."""
        tree = merged_tree(self.path, *sides(self.path, onto, commit))
        if isinstance(tree, Conflict):
            return tree
        message = naming.with_trailer(self.message(commit), "Parent", onto)
        author, date = run_git(self.path, "log", "-1", "--format=%an%x00%aI", commit).split("\0")
        rebased = run_git(
            self.path,
            *("commit-tree", tree, "-p", onto, "-F", "-"),
            stdin=message.encode(),
            env={**_person(author), "GIT_AUTHOR_DATE": date},
        )
        run_git(self.path, "update-ref", f"refs/autolab/kept/{commit}", commit)
        return rebased

    def without(self, merge: str, master: str) -> str | Conflict:
        """A unified diff that takes out of `master` what the merge commit `merge` brought in, and nothing else."""
        before = self.parents(merge)[0]
        back = run_git(
            self.path, "commit-tree", self.tree(before), "-p", merge, "-m", "taken out", env=_person("autolab")
        )
        tree = merged_tree(self.path, master, back)
        return tree if isinstance(tree, Conflict) else self.diff(master, tree)

    def commit_alone(self, branch: str, name: str, content: bytes, message: str) -> bool:
        """Commit one file on a branch beside the research (branches.aside); false when nothing changed."""
        return aside.commit_alone(self.path, branch, name, content, message)

    def exclude(self, name: str) -> bool:
        """Let git overlook an untracked file at the top of the work tree; false when it is tracked."""
        if run_git(self.path, "ls-files", "--", name):
            return False
        aside.exclude(self.path, name)
        return True

    def merge(self, master: str, commit: str, message: str) -> str:
        """A merge commit of `commit` into `master`, with the very tree of `commit`; nothing moves yet.

        Raises NotMeasuredAsItStands unless `commit` stands on `master`.
        """
        base = run_git(self.path, "merge-base", master, commit)
        if base != master:
            raise NotMeasuredAsItStands(
                f"{commit[:9]} does not stand on master {master[:9]}.", "Rebase it and measure it again."
            )
        return run_git(
            self.path,
            *("commit-tree", self.tree(commit), "-p", master, "-p", commit, "-F", "-"),
            stdin=message.encode(),
            env=_person("Autolab"),
        )

    def advance(self, ref: str, new: str, old: str) -> bool:
        """Compare-and-swap: move `ref` from `old` to `new`; false when it stands elsewhere by now."""
        try:
            run_git(self.path, "update-ref", ref, new, old)
        except GitFailed as error:
            if "but expected" in error.words or "reference already exists" in error.words:
                return False
            if "cannot lock ref" in error.words and ".lock" not in error.words:
                return False
            raise
        return True

    # -- the lab's own checkout

    def update_checkout(self) -> Update:
        """Bring the lab's files to the present master, unless a person has edits there; those are never touched."""
        return own_checkout.update(self.path, MASTER, self.head(MASTER))


def _require_version() -> None:
    words = run_git(Path("/"), "--version")
    found = re.search(r"(\d+)\.(\d+)", words)
    if found is None or (int(found.group(1)), int(found.group(2))) < LEAST_VERSION:
        raise LabError(f"{words} is too old: `git merge-tree --write-tree` is needed.", "Install git 2.38 or newer.")
