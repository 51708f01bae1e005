"""Making a lab: a git repository with the target, the role files, the settings, and a database with the start in it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from typing import cast

from orchestrator.branches import Repository
from orchestrator.corpus import Progress, prepare_corpus
from orchestrator.errors import LabError
from orchestrator.lab import Lab, LabLock
from orchestrator.settings import ROLES, Profile, settings_text, template
from orchestrator.store.writer import Writer
from roles.role_file import shipped

LEAST_FREE_BYTES = 200 * 2**20
IGNORED = ("runs.db", "runs.db-shm", "runs.db-wal", ".autolab/", "__pycache__/")


def choose_profile(wish: str) -> Profile:
    """`auto` is the GPU profile where NVML shows a GPU, else the CPU one."""
    if wish in ("gpu", "cpu"):
        return cast(Profile, wish)
    from orchestrator.runs.slots import gpu_count

    return "gpu" if gpu_count() > 0 else "cpu"


async def create_lab(root: Path, wish: str, source: Path | None, progress: Progress | None = None) -> Lab:
    """Make a lab at `root`. Nothing is left behind when it fails. Blocks while data is prepared.

    `source` is a git repository whose train.py the lab starts from. Raises LabError for a place that is taken, a full
    or read-only disk, or data that cannot be prepared.
    """
    lab = Lab(root)
    _check_place(lab)
    profile = choose_profile(wish)
    contents = _contents(source)
    corpus = prepare_corpus(profile, progress)
    contents["autolab.toml"] = settings_text(profile, corpus.budget_seconds).encode()
    existed = root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
        repository = Repository.create(root, contents, "Start the lab", IGNORED)
        lock = LabLock(lab)
        lock.acquire()
        try:
            async with Writer(lab.database) as store:
                await store.set_meta("profile", profile)
                await store.set_meta("data_fingerprint", corpus.fingerprint)
                await store.add_start(repository.head("refs/heads/master"), "start", "the starting point of this lab")
        finally:
            lock.release()
    except BaseException as error:
        if not existed:
            shutil.rmtree(root, ignore_errors=True)
        if isinstance(error, OSError):
            raise LabError(
                f"The lab cannot be made at {root} ({error.strerror or error}).",
                "Choose a place that you can write to, with free disk space.",
            ) from error
        raise
    return lab


def _check_place(lab: Lab) -> None:
    if lab.exists:
        raise LabError(f"There is a lab at {lab.root} already.", f"Open it with `autolab-tui {lab.root}`.")
    if lab.root.exists() and not lab.root.is_dir():
        raise LabError(f"{lab.root} is a file.", "Name a new directory.")
    if lab.root.is_dir() and any(lab.root.iterdir()):
        raise LabError(
            f"{lab.root} is not empty.",
            "Name a new directory; `--from REPO` starts from another repository's train.py.",
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


def _contents(source: Path | None) -> dict[str, bytes]:
    """The tracked files of a new lab but for its settings."""
    spec = importlib.util.find_spec("nanogpt")
    assert spec is not None and spec.origin is not None
    target = Path(spec.origin).parent
    contents = {name: (target / name).read_bytes() for name in ("train.py", "prepare.py")}
    contents["program.md"] = template("program.md").encode()
    for role in ROLES:
        contents[f"roles/{role}.md"] = shipped(role).read_bytes()
    if source is not None:
        contents["train.py"] = _train_py_of(source)
    return contents


def _train_py_of(source: Path) -> bytes:
    git = subprocess.run(
        ["git", "-C", str(source), "show", "HEAD:train.py"], capture_output=True, stdin=subprocess.DEVNULL, check=False
    )
    if git.returncode != 0:
        raise LabError(
            f"{source} is no git repository with a train.py at its top.", "Name one that follows the training contract."
        )
    if b"def build_model(" not in git.stdout or b"import prepare" not in git.stdout:
        raise LabError(
            f"The train.py of {source} does not follow the training contract: it needs build_model() and prepare.",
            "See the section on train.py in the README.",
        )
    return git.stdout
