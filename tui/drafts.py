"""A change that a person is making by hand: the files in a directory of their own, opened in their editor, as a diff.

The directory lies with the person's own files and stays until the lab has taken the change, so that nothing is lost.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from orchestrator.branches import Repository
from orchestrator.branches.command import GitFailed, run_git
from orchestrator.branches.merging import merge_lines
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.settings import read_settings
from orchestrator.store.records import Experiment
from tui.own_files import state_directory
from tui.paced import PacedApp

NO_END = "\\ No newline at end of file\n"


@dataclass(frozen=True, slots=True)
class Draft:
    """Files as they stand on master, and where the person edits theirs."""

    directory: Path
    before: Mapping[str, str]

    def files(self) -> list[Path]:
        return [self.directory / name for name in self.before]

    def diff(self) -> str:
        """What is changed by now, as a unified diff against master; empty when nothing is. Raises LabError."""
        after = {}
        for name in self.before:
            try:
                after[name] = _decoded((self.directory / name).read_bytes())
            except OSError as error:
                raise LabError(
                    f"{self.directory / name} cannot be read ({error.strerror}).", "Save it there again."
                ) from error
        return unified_diff(self.before, after)

    def discard(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)


def begin(lab: Lab, master: str, name: str, experiment: Experiment | None = None) -> Draft:
    """The editable files of master in a directory of their own, with the change of `experiment` put on top.

    Where that does not fit any more, the file holds both sides between git's conflict marks. A draft of that name that
    a person has begun already is taken up again. Blocks; raises LabError.
    """
    repository = Repository(lab.root)
    editable = read_settings(lab.settings_file).target.editable
    before = {path: _text(repository, master, path) for path in editable}
    directory = _drafts() / f"{_named(lab, name)}-{master[:9]}"
    if not directory.exists():
        try:
            for path, text in before.items():
                start = text if experiment is None else _patched(repository, text, path, experiment)
                place = directory / path
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_text(start, encoding="utf-8", errors="surrogateescape", newline="")
        except OSError as error:
            shutil.rmtree(directory, ignore_errors=True)
            raise LabError(
                f"No draft can be kept in {directory} ({error.strerror}).", "Free some space or set XDG_STATE_HOME."
            ) from error
    return Draft(directory, before)


def forget(lab: Lab, name: str) -> None:
    """What a person has edited under that name, of whichever master."""
    kept = re.compile(rf"{re.escape(_named(lab, name))}-[0-9a-f]{{9}}")
    for directory in _drafts().glob("*"):
        if kept.fullmatch(directory.name):
            shutil.rmtree(directory, ignore_errors=True)


def _drafts() -> Path:
    return state_directory() / "drafts"


def _named(lab: Lab, name: str) -> str:
    return re.sub(r"[^\w.-]", "_", f"{lab.root.name}-{name}")


def _text(repository: Repository, commit: str, path: str) -> str:
    return _decoded(repository.show_file(commit, path))


def _decoded(content: bytes) -> str:
    """As it is, with the line ends that it has."""
    return content.decode("utf-8", errors="surrogateescape")


def _patched(repository: Repository, master: str, path: str, experiment: Experiment) -> str:
    """The file of master with the experiment's change in it."""
    if experiment.parent is None or experiment.commit_id is None:
        return master
    base, own = (_text(repository, commit, path) for commit in (experiment.parent, experiment.commit_id))
    if master == base or base == own:
        return own if master == base else master
    sides = [text.encode("utf-8", "surrogateescape").splitlines(keepends=True) for text in (base, master, own)]
    if (merged := merge_lines(*sides)) is not None:
        return _decoded(b"".join(merged))
    with tempfile.TemporaryDirectory() as place:
        names = ("master", "base", f"experiment-{experiment.id}")
        for name, text in zip(names, (master, base, own), strict=True):
            (Path(place) / name).write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
        with contextlib.suppress(GitFailed):  # its status is the number of conflicts
            run_git(Path(place), "merge-file", "--diff3", *names)
        return _decoded((Path(place) / names[0]).read_bytes())


def unified_diff(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """What `git apply` takes: three lines around each change, and files without a last line end as git says it."""
    said = []
    for name, old in before.items():
        if after[name] == old:
            continue
        lines = difflib.unified_diff(_lines(old), _lines(after[name]), f"a/{name}", f"b/{name}")
        said += [line if line.endswith("\n") else f"{line}\n{NO_END}" for line in lines]
    return "".join(said)


def _lines(text: str) -> list[str]:
    """Lines as git counts them: by line feeds alone."""
    parts = text.split("\n")
    return [f"{part}\n" for part in parts[:-1]] + [parts[-1]] * bool(parts[-1])


def editor(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The person's editor: $VISUAL, $EDITOR, else the first of the usual ones that is there. Raises LabError."""
    for name in ("VISUAL", "EDITOR"):
        if words := shlex.split(environment.get(name, "")):
            return words
    for name in ("nano", "vim", "vi", "emacs"):
        if found := shutil.which(name):
            return [found]
    raise LabError("There is no editor on this machine.", "Set EDITOR, or give the change as a diff in a file.")


def edit(app: App[Any], files: list[Path]) -> None:
    """The terminal is the editor's until it is left; meanwhile the room stands still, so that nothing paints over it.

    Raises LabError: there is no editor, or it failed.
    """
    words = editor()
    problem = ""
    try:
        with app.suspend():
            try:
                status = subprocess.run([*words, *map(str, files)], check=False).returncode
            except OSError as error:
                problem = f"{words[0]} cannot be started ({error.strerror})."
    except SuspendNotSupported as error:
        raise LabError(
            "This terminal cannot be handed to an editor.", "Give the change as a diff in a file."
        ) from error
    if isinstance(app, PacedApp):
        app.back_again()
    if problem:
        raise LabError(problem, "Set EDITOR to a program that is there.")
    if status != 0:
        raise LabError(f"{words[0]} ended with status {status}.", "What was saved is kept: edit again.")


def told(diff: str) -> str:
    """How much a diff changes: `3 lines added, 1 taken out, in train.py`."""
    lines = diff.splitlines()
    added = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    removed = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    names = [line[6:] for line in lines if line.startswith("+++ b/")]
    return f"{added} line{'s' * (added != 1)} added, {removed} taken out, in {', '.join(names)}"
