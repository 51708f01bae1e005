"""Making a lab: a git repository with the target, the role files, the settings, and a database with the start in it."""

from __future__ import annotations

import contextlib
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from orchestrator.adopting import Adopted, adopt
from orchestrator.branches import Repository
from orchestrator.branches.surroundings import note_on_surroundings
from orchestrator.corpus import Progress, own_data, prepare_corpus
from orchestrator.errors import LabError
from orchestrator.lab import Lab, LabLock
from orchestrator.marks import DIRECTION
from orchestrator.measurement.protection import installed
from orchestrator.settings import Profile
from orchestrator.settings_text import settings_text, template
from orchestrator.store.writer import Writer
from orchestrator.targets.recognition import Wishes
from orchestrator.targets.target import NanogptTarget, ScriptTarget
from orchestrator.team_settings import ROLE_FILES
from roles.role_file import shipped

LEAST_FREE_BYTES = 200 * 2**20
IGNORED = ("runs.db", "runs.db-shm", "runs.db-wal", ".autolab/", "__pycache__/")


def choose_profile(wish: str) -> Profile:
    """`auto` is the GPU profile where NVML shows a GPU, else the CPU one."""
    if wish in ("gpu", "cpu"):
        return cast(Profile, wish)
    from orchestrator.runs.slots import gpu_count

    return "gpu" if gpu_count() > 0 else "cpu"


@dataclass(frozen=True, slots=True)
class NewLab:
    """A lab that was made; `notes` are sentences on what was recognised, kept and left out, and on where it stands."""

    lab: Lab
    notes: tuple[str, ...]


async def create_lab(
    root: Path,
    wish: str,
    source: str | None = None,
    wishes: Wishes | None = None,
    progress: Progress | None = None,
) -> NewLab:
    """Make a lab at `root`. Nothing is left behind when it fails. Blocks while data is prepared or cloned.

    `source` is a git repository, by path or URL, that the lab is a clone of; `wishes` say what is optimised there.
    Raises LabError for a place that is taken, a full or read-only disk, data that cannot be prepared, or a source that
    cannot be cloned or is not recognised.
    """
    lab = Lab(root)
    _check_place(lab)
    profile = choose_profile(wish)
    existed = root.exists()
    try:
        if source is None:
            made = _from_nothing(lab, profile, progress)
        else:
            made = adopt(source, lab, profile, wishes or Wishes(), IGNORED, progress, profile_is_a_wish=wish != "auto")
        await _begin(lab, made)
    except BaseException as error:
        _clear(root, existed)
        if isinstance(error, OSError):
            raise LabError(
                f"The lab cannot be made at {root} ({error.strerror or error}).",
                "Choose a place that you can write to, with free disk space.",
            ) from error
        raise
    surroundings = note_on_surroundings(root)
    return NewLab(lab, (*made.notes, surroundings) if surroundings else made.notes)


def _from_nothing(lab: Lab, profile: Profile, progress: Progress | None) -> Adopted:
    """Autolab's own target in a repository of its own."""
    corpus = prepare_corpus(profile, progress)
    contents = {name: installed(name).read_bytes() for name in ("train.py", "prepare.py")}
    contents["program.md"] = template("program.md").encode()
    contents |= {f"roles/{role}.md": shipped(role).read_bytes() for role in ROLE_FILES}
    contents["autolab.toml"] = settings_text(profile, corpus.budget_seconds).encode()
    lab.root.mkdir(parents=True, exist_ok=True)
    repository = Repository.create(lab.root, contents, "Start the lab", IGNORED)
    return Adopted(repository.head(), profile, NanogptTarget(("train.py",), ("prepare.py",)), corpus, ())


async def _begin(lab: Lab, made: Adopted) -> None:
    """The database, with the start in it."""
    lock = LabLock(lab)
    lock.acquire()
    try:
        async with Writer(lab.database) as store:
            await store.set_meta("profile", made.profile)
            await store.set_meta("target", "script" if made.target.self_reported else "nanogpt")
            if isinstance(made.target, ScriptTarget):
                await store.set_meta(DIRECTION, made.target.direction)
            corpus = made.corpus or own_data(made.profile)
            await store.set_meta("data_fingerprint", corpus.fingerprint)
            await store.add_start(made.commit, "start", "the starting point of this lab")
    finally:
        lock.release()


def _clear(root: Path, existed: bool) -> None:
    """Take away what was made; a directory that was there before stays, empty as it was."""
    if not existed:
        shutil.rmtree(root, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        for path in root.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _check_place(lab: Lab) -> None:
    if lab.exists:
        raise LabError(
            f"There is a lab at {lab.root} already.", f"Open it with `autolab-tui {shlex.quote(str(lab.root))}`."
        )
    if lab.root.exists() and not lab.root.is_dir():
        raise LabError(f"{lab.root} is a file.", "Name a new directory.")
    if lab.root.is_dir() and any(lab.root.iterdir()):
        raise LabError(
            f"{lab.root} is not empty.",
            "Name a new directory; `--from REPO` makes it a lab of a repository that you have.",
        )
    parent = next(place for place in (lab.root, *lab.root.parents) if place.exists())
    try:
        free = shutil.disk_usage(parent).free
    except OSError as error:
        raise LabError(f"{parent} cannot be looked at ({error.strerror}).", "Choose another place.") from error
    if free < LEAST_FREE_BYTES:
        raise LabError(
            f"Only {free // 2**20} MiB are free at {parent}; a lab needs {LEAST_FREE_BYTES // 2**20} MiB.",
            "Free some disk space or choose another place.",
        )
