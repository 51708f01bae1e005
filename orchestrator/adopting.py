"""A lab from somebody's repository: its history and files kept, what a lab needs added where it is missing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.branches.cloning import Clone, clone
from orchestrator.corpus import Corpus, Progress, prepare_corpus
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.measurement.protection import installed
from orchestrator.settings import Profile, Settings, read_settings
from orchestrator.settings_text import settings_text, template
from orchestrator.targets.missing import what_is_missing
from orchestrator.targets.recognition import Wishes, recognise
from orchestrator.targets.target import SEED_UNREAD, NanogptTarget, ScriptTarget, Target, reads_seed
from orchestrator.team_settings import ROLE_FILES
from roles.role_file import shipped

OF_A_LAB = ("runs.db", "runs.db-shm", "runs.db-wal", ".autolab")


@dataclass(frozen=True, slots=True)
class Adopted:
    """A repository that was made a lab; `corpus` is None where the target brings its own data."""

    commit: str  # master's
    profile: Profile
    target: Target
    corpus: Corpus | None
    notes: tuple[str, ...]  # for people, a sentence each


def adopt(
    source: str,
    lab: Lab,
    profile: Profile,
    wishes: Wishes,
    ignored: Iterable[str],
    progress: Progress | None = None,
    *,
    profile_is_a_wish: bool = False,
) -> Adopted:
    """Clone `source` into the lab's directory and commit there what a lab needs. Blocks.

    A repository that has an autolab.toml keeps it. Raises LabError for what cannot be cloned or is not recognised; the
    directory is then the caller's to clear.
    """
    if progress is not None:
        progress(f"cloning {source}", 0, 0)
    copy = clone(source, lab.root)
    _check_ways(copy, source)
    notes = list(copy.notes)
    own = _own_settings(lab, copy, wishes, profile if profile_is_a_wish else None)
    if own is not None:
        profile, target = own.lab.profile, own.optimised()
        notes.append("Its own autolab.toml is kept.")
    else:
        recognised = recognise(lab.root, copy.plain_files, wishes)
        target = recognised.target
        notes.append(f"Taken for {recognised.taken_for}; autolab.toml says how it is run and scored.")
    _check_files(lab.root, target, copy)
    if isinstance(target, ScriptTarget) and (missing := what_is_missing(target, lab.root)) is not None:
        notes.append(f"No run can succeed yet: {missing[0]} {missing[1]}")
    contents = {f"roles/{role}.md": shipped(role).read_bytes() for role in ROLE_FILES}
    fixed: dict[str, bytes] = {}
    corpus = None
    match target:
        case NanogptTarget():
            corpus = prepare_corpus(profile, progress)
            fixed = {path: installed(path).read_bytes() for path in target.protected}
            contents["autolab.toml"] = settings_text(profile, corpus.budget_seconds).encode()
            contents["program.md"] = template("program.md").encode()
        case ScriptTarget():
            contents["autolab.toml"] = settings_text(profile, target.budget_seconds, target).encode()
            if not reads_seed(target, lab.root):
                notes.append(f"Beware: {SEED_UNREAD}; {target.seeding}.")
            contents["program.md"] = template("script-program.md").encode()
    kept = {path for path in copy.plain_files if path in contents}
    if "program.md" in kept:
        notes.append("Its own program.md is kept; every agent reads it, so let it say what the research is after.")
    written = {path: content for path, content in contents.items() if path not in kept} | fixed
    written[".gitignore"] = _ignoring(lab.root, copy, ignored)
    copy.repository.commit_files(written, "Make this repository a lab")
    return Adopted(copy.repository.head(), profile, target, corpus, tuple(notes))


def _check_ways(copy: Clone, source: str) -> None:
    """What the lab writes must be free, and must not lead out of its directory by a symbolic link."""
    roles = [f"roles/{role}.md" for role in ROLE_FILES]
    mine = ("autolab.toml", "program.md", "prepare.py", ".gitignore", "roles", *roles)
    for path in copy.links:
        if path in mine:
            raise LabError(
                f"{source} has a symbolic link at {path}, where a lab keeps a file of its own.",
                "Commit a plain file there.",
            )
    for path in (*copy.plain_files, *copy.links):
        if path.split("/", 1)[0] in OF_A_LAB:
            raise LabError(
                f"{source} has {path} among its files; a lab makes that by itself.",
                f"Take it out there: `git rm --cached {path}`, and commit.",
            )
    if "roles" in copy.plain_files:
        raise LabError(f"{source} has a file called roles, where a lab keeps its role files.", "Rename it there.")


def _own_settings(lab: Lab, copy: Clone, wishes: Wishes, profile: Profile | None) -> Settings | None:
    if "autolab.toml" not in copy.plain_files:
        return None
    settings = read_settings(lab.settings_file)
    surplus = "the --target options" if not wishes.silent else "--profile" if profile is not None else ""
    if surplus and (not wishes.silent or profile != settings.lab.profile):
        raise LabError(
            "The repository brings its own autolab.toml, which says what is optimised and how.",
            f"Leave {surplus} out, and change that file in the lab afterwards.",
        )
    return settings


def _check_files(root: Path, target: Target, copy: Clone) -> None:
    for key, paths in (("editable", target.editable), ("protected", target.protected)):
        for path in paths:
            if path not in copy.plain_files and not (isinstance(target, NanogptTarget) and key == "protected"):
                raise LabError(
                    f"target.{key} names {path}, which is no plain file of the repository's last commit.",
                    "Correct autolab.toml there, and commit.",
                )
    for path in target.editable:
        try:
            (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise LabError(f"{path} is no UTF-8 text, so no agent can edit it.", "Name another file.") from error


def _ignoring(root: Path, copy: Clone, ignored: Iterable[str]) -> bytes:
    """The repository's .gitignore with the lab's entries after its own."""
    before = (root / ".gitignore").read_bytes() if ".gitignore" in copy.plain_files else b""
    known = set(before.decode("utf-8", errors="replace").split("\n"))
    missing = [entry for entry in ignored if entry not in known]
    gap = b"" if not before or before.endswith(b"\n") else b"\n"
    return before + gap + "".join(f"{entry}\n" for entry in missing).encode()
