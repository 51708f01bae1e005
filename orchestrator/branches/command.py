"""Calling git: GitPython's command layer with a fixed environment, time-outs, and errors as sentences."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from git.cmd import Git
from git.exc import GitCommandNotFound

from orchestrator.errors import LabError

TIMEOUT_SECONDS = 120

# A person's own configuration must neither run code nor change what is committed.
OVERRIDES = (
    "core.hooksPath=/dev/null",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "core.autocrlf=false",
    "core.fsmonitor=false",
    "core.quotePath=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "merge.renames=false",
    "diff.external=",
    "color.ui=never",
    "advice.detachedHead=false",
)
ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_EDITOR": "true",
    "GIT_PAGER": "cat",
}


for _name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_EXTERNAL_DIFF", "GIT_CONFIG_PARAMETERS"):
    os.environ.pop(_name, None)  # started from a git hook, we would work on the wrong repository


class GitFailed(LabError):
    """Git refused; `status` is its exit status, `words` what it printed."""

    def __init__(self, sentence: str, remedy: str, status: int, words: str) -> None:
        super().__init__(sentence, remedy)
        self.status = status
        self.words = words

    @property
    def reason(self) -> str:
        """The first thing that git said."""
        lines = [line.removeprefix("error: ").strip() for line in self.words.splitlines() if line.strip()]
        return lines[0] if lines else f"exit status {self.status}"


def run_git(
    directory: Path,
    *arguments: str,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    strip: bool = True,
    accept: tuple[int, ...] = (0,),
) -> str:
    """Git's standard output; `accept`: the exit statuses that are an answer. Raises GitFailed."""
    output = run_git_bytes(directory, *arguments, stdin=stdin, env=env, strip=strip, accept=accept)
    return output.decode("utf-8", errors="replace")


def run_git_bytes(
    directory: Path,
    *arguments: str,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
    strip: bool = True,
    accept: tuple[int, ...] = (0,),
) -> bytes:
    """Git's standard output as it is. Raises GitFailed."""
    # A new Git object each time: it holds no child process, and sharing one between threads is not safe.
    git = Git(str(directory))
    command = ["git", *(word for override in OVERRIDES for word in ("-c", override)), *arguments]
    with tempfile.TemporaryFile() as source:
        source.write(stdin or b"")
        source.seek(0)
        try:
            status, output, errors = git.execute(
                command,
                istream=source,
                with_extended_output=True,
                with_exceptions=False,
                stdout_as_string=False,
                strip_newline_in_stdout=strip,
                env={**ENVIRONMENT, **(env or {})},
                kill_after_timeout=TIMEOUT_SECONDS,
            )
        except GitCommandNotFound as error:
            raise LabError("git is not installed.", "Install git 2.38 or newer.") from error
    assert isinstance(output, bytes)
    if status not in accept:
        raise _failure(directory, arguments, status, str(errors).strip() or output.decode(errors="replace").strip())
    return output


def _failure(directory: Path, arguments: tuple[str, ...], status: int, words: str) -> GitFailed:
    text = words.removeprefix("stderr:").strip().strip("'").strip()
    first = next((line for line in text.splitlines() if line.strip()), f"exit status {status}")
    if "dubious ownership" in text:
        return GitFailed(
            f"The repository {directory} belongs to another user.",
            f"Allow it with `git config --global --add safe.directory {directory}`.",
            status,
            text,
        )
    if "not a git repository" in text:
        return GitFailed(
            f"{directory} is not a git repository.", "Make a lab with `autolab init`, or restore .git.", status, text
        )
    if "No space left" in text:
        return GitFailed(f"The disk of {directory} is full.", "Free some space and try again.", status, text)
    return GitFailed(f"git {arguments[0]} failed: {first}", "Look at the repository with `git status`.", status, text)
