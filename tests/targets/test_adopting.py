"""A repository becomes a lab by a clone: history and files kept, the source untouched, what is missing added."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from orchestrator.adopting import Adopted, adopt
from orchestrator.branches import Repository
from orchestrator.errors import LabError
from orchestrator.lab import Lab
from orchestrator.settings import read_settings
from orchestrator.targets.recognition import Wishes
from orchestrator.targets.target import NanogptTarget, ScriptTarget
from orchestrator.team_settings import ROLES
from roles.role_file import load
from tests.layouts import AUTORESEARCH, OTHER, git, make_repository

IGNORED = ("runs.db", ".autolab/")


def adopted(tmp_path: Path, source: Path | str, wishes: Wishes = Wishes()) -> tuple[Path, Adopted]:  # noqa: B008
    root = tmp_path / "mein Läb"
    return root, adopt(str(source), Lab(root), "cpu", wishes, IGNORED)


def everything_in(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_history_is_kept_master_is_the_sources_last_commit_and_the_source_is_untouched(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", AUTORESEARCH)
    before = everything_in(source)
    root, made = adopted(tmp_path, source)
    assert everything_in(source) == before
    assert git(root, "log", "--format=%s", "master").splitlines() == [
        "Make this repository a lab",
        "The second commit",
        "The first commit",
    ]
    assert git(root, "for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/master"
    assert git(root, "symbolic-ref", "HEAD") == "refs/heads/master"
    assert made.commit == git(root, "rev-parse", "master")
    assert git(root, "status", "--porcelain") == ""
    assert Repository.open(root).update_checkout().updated


def test_what_a_lab_needs_is_added_and_what_is_there_is_kept(tmp_path: Path) -> None:
    root, made = adopted(tmp_path, make_repository(tmp_path / "source", AUTORESEARCH))
    assert isinstance(made.target, ScriptTarget) and made.corpus is None
    assert read_settings(root / "autolab.toml").optimised() == made.target
    for role in ROLES:
        load(root / "roles" / f"{role}.md")
    for name in ("train.py", "prepare.py", "program.md", "uv.lock"):
        assert (root / name).read_text() == AUTORESEARCH[name]
    assert (root / ".gitignore").read_text() == "results.tsv\nruns.db\n.autolab/\n"
    assert any("program.md is kept" in note for note in made.notes)


def test_a_repository_of_another_kind_gets_a_program_of_its_own(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", OTHER)
    wishes = Wishes(
        command="python src/fit.py",
        editable=("src/*",),
        metric="accuracy = (.*)",
        budget_seconds=5,
        protected=("data/*",),
    )
    root, made = adopted(tmp_path, source, wishes)
    assert made.target.editable == ("src/fit.py", "src/model.py")
    assert "this repository's command" in (root / "program.md").read_text()


def test_a_train_py_of_autolabs_contract_gets_the_installed_fixed_file(tmp_path: Path, corpus: Path) -> None:
    nanogpt = Path(__file__).parents[2] / "nanogpt"
    files = {"train.py": (nanogpt / "train.py").read_text() + "# mine\n", "prepare.py": "an old one"}
    root, made = adopted(tmp_path, make_repository(tmp_path / "source", files))
    assert isinstance(made.target, NanogptTarget) and made.corpus is not None
    assert (root / "train.py").read_text().endswith("# mine\n")
    assert (root / "prepare.py").read_bytes() == (nanogpt / "prepare.py").read_bytes()
    assert read_settings(root / "autolab.toml").run.budget_seconds == made.corpus.budget_seconds


def test_a_bare_or_detached_source_and_one_with_a_master_of_its_own_are_taken_at_their_head(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", AUTORESEARCH, "dev")
    git(source, "branch", "master", "HEAD~1")
    head = git(source, "rev-parse", "HEAD")
    git(tmp_path, "clone", "-q", "--bare", str(source), "bare.git")
    git(source, "checkout", "-q", "--detach")
    for place in (source, tmp_path / "bare.git"):
        root, _ = adopted(tmp_path, place)
        assert git(root, "rev-parse", "master~1") == head
        shutil.rmtree(root)


def test_a_url_is_cloned_too(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", AUTORESEARCH)
    root, _ = adopted(tmp_path, source.as_uri())
    assert git(root, "rev-parse", "master~1") == git(source, "rev-parse", "HEAD")


def test_what_is_not_committed_is_not_taken_and_that_is_said(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", AUTORESEARCH)
    (source / "train.py").write_text("half an idea")
    root, made = adopted(tmp_path, source)
    assert (root / "train.py").read_text() == AUTORESEARCH["train.py"]
    commit = git(source, "rev-parse", "--short", "HEAD")
    assert any(f"is not taken: the lab starts from its last commit, {commit}" in note for note in made.notes)
    assert (source / "train.py").read_text() == "half an idea"


def test_an_autolab_toml_of_its_own_is_kept(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", AUTORESEARCH)
    first, made = adopted(tmp_path, source)
    text = (first / "autolab.toml").read_text().replace("timeout_seconds = 600", "timeout_seconds = 999")
    (source / "autolab.toml").write_text(text)
    git(source, "add", "-A")
    git(source, "commit", "-qm", "mine")
    shutil.rmtree(first)
    root, made = adopted(tmp_path, source)
    assert (root / "autolab.toml").read_text() == text
    assert isinstance(made.target, ScriptTarget) and made.target.timeout_seconds == 999
    shutil.rmtree(root)
    with pytest.raises(LabError, match=r"brings its own autolab\.toml") as told:
        adopted(tmp_path, source, Wishes(command="python train.py"))
    assert "--target" in told.value.remedy


def test_what_is_no_repository_is_told(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    with pytest.raises(LabError, match="is not a git repository") as told:
        adopted(tmp_path, tmp_path / "plain")
    assert "git init" in told.value.remedy
    with pytest.raises(LabError, match="There is no repository at"):
        adopted(tmp_path, tmp_path / "nowhere")
    git(tmp_path, "init", "-q", "empty")
    with pytest.raises(LabError, match="has no commit yet"):
        adopted(tmp_path, tmp_path / "empty")
    with pytest.raises(LabError, match="cannot be cloned"):
        adopted(tmp_path, f"file://{tmp_path}/nowhere.git")
    source = make_repository(tmp_path / "source", OTHER)
    with pytest.raises(LabError, match="not a git repository of its own"):
        adopted(tmp_path, source / "src")


@pytest.mark.parametrize(
    ("name", "words"),
    [("runs.db", "makes that by itself"), (".autolab/lock", "makes that by itself"), ("roles", "a file called roles")],
)
def test_files_in_the_labs_way_are_told(tmp_path: Path, name: str, words: str) -> None:
    source = make_repository(tmp_path / "source", {**AUTORESEARCH, name: "x"})
    with pytest.raises(LabError, match=words):
        adopted(tmp_path, source)


def test_a_symbolic_link_never_leads_the_lab_out_of_its_directory(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", AUTORESEARCH)
    outside = tmp_path / "outside"
    outside.mkdir()
    (source / "roles").symlink_to(outside)
    git(source, "add", "-A")
    git(source, "commit", "-qm", "link")
    with pytest.raises(LabError, match="symbolic link at roles"):
        adopted(tmp_path, source)
    assert not list(outside.iterdir())


def test_an_editable_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    source = make_repository(tmp_path / "source", OTHER)
    (source / "src" / "weights.bin").write_bytes(b"\xff\xfe\x00\x80")
    git(source, "add", "-A")
    git(source, "commit", "-qm", "weights")
    wishes = Wishes(command="python src/fit.py", editable=("src/*",), metric="accuracy = (.*)", budget_seconds=5)
    with pytest.raises(LabError, match=r"weights\.bin is no UTF-8 text"):
        adopted(tmp_path, source, wishes)
