"""The layout of karpathy/autoresearch is recognised by itself; of every other repository a person must tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import LabError
from orchestrator.targets.printed import progress_of, read_metric
from orchestrator.targets.recognition import Wishes, recognise
from orchestrator.targets.target import Direction, NanogptTarget, ScriptTarget
from tests.layouts import AUTORESEARCH, OTHER, make_repository, tracked

NANOGPT = Path(__file__).parents[2] / "nanogpt"


def recognised(root: Path, wishes: Wishes = Wishes()) -> ScriptTarget:  # noqa: B008
    target = recognise(root, tracked(root), wishes).target
    assert isinstance(target, ScriptTarget)
    return target


def test_the_layout_of_autoresearch_is_recognised_with_its_command_files_patterns_and_budget(tmp_path: Path) -> None:
    target = recognised(make_repository(tmp_path / "r", AUTORESEARCH))
    assert target.command == ("uv", "run", "train.py")
    assert target.editable == ("train.py",)
    assert target.protected == ("prepare.py", "pyproject.toml", "uv.lock")
    assert target.direction is Direction.MINIMISE
    assert (target.budget_seconds, target.timeout_seconds) == (300, 600)


def test_what_such_a_repository_prints_is_read_by_the_recognised_patterns(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "r", AUTORESEARCH)
    target = recognised(root)
    run = subprocess.run([sys.executable, "train.py"], cwd=root, capture_output=True, check=True)
    printed = run.stdout.decode()
    assert read_metric(printed, target) == 1.0001
    assert progress_of(printed.split("\n")[0], target) == 1.0


def test_a_budget_of_its_own_is_taken_over(tmp_path: Path) -> None:
    files = {**AUTORESEARCH, "prepare.py": "TIME_BUDGET = 60\n"}
    assert recognised(make_repository(tmp_path / "r", files)).budget_seconds == 60


def test_without_a_project_file_python_runs_it(tmp_path: Path) -> None:
    files = {name: text for name, text in AUTORESEARCH.items() if name not in ("pyproject.toml", "uv.lock")}
    assert recognised(make_repository(tmp_path / "r", files)).command == ("python", "train.py")


def test_kernels_from_the_hub_are_shown_where_a_run_outside_has_kept_them(tmp_path: Path) -> None:
    loads = 'from kernels import get_kernel\n\nNAME = "some-one/flash_attn3" if True else "a/b-c"\nget_kernel(NAME)\n'
    target = recognised(make_repository(tmp_path / "r", {**AUTORESEARCH, "train.py": loads + AUTORESEARCH["train.py"]}))
    hub = "~/.cache/huggingface/hub"
    kept = [f"{hub}/{kind}--{name}" for name in ("some-one--flash_attn3", "a--b-c") for kind in ("models", "kernels")]
    assert list(target.readable) == ["~/.cache/autoresearch", *kept]
    assert target.environment["HF_HUB_OFFLINE"] == "1"
    plain = recognised(make_repository(tmp_path / "p", AUTORESEARCH))
    assert len(plain.readable) == 1 and "HF_HUB_OFFLINE" not in plain.environment


def test_a_person_may_change_what_was_recognised(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "r", AUTORESEARCH)
    target = recognised(root, Wishes(command="python -u train.py", budget_seconds=20, editable=("prepare.py",)))
    assert target.command == ("python", "-u", "train.py")
    assert (target.budget_seconds, target.timeout_seconds) == (20, 80)
    assert target.editable == ("prepare.py",) and "prepare.py" not in target.protected


def test_a_train_py_of_autolabs_own_contract_is_recognised(tmp_path: Path) -> None:
    files = {name: (NANOGPT / name).read_text() for name in ("train.py", "prepare.py")}
    root = make_repository(tmp_path / "r", {**files, "program.md": "p"})
    assert recognise(root, tracked(root), Wishes()).target == NanogptTarget(("train.py",), ("prepare.py",))


def test_any_other_repository_is_told_which_words_are_missing(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "r", OTHER)
    with pytest.raises(LabError, match="must be told") as told:
        recognised(root)
    for option in ("--target-command", "--target-editable", "--target-metric", "--target-budget"):
        assert option in told.value.remedy
    with pytest.raises(LabError) as told:
        recognised(root, Wishes(command="python src/fit.py", editable=("src/*.py",), budget_seconds=5))
    assert "--target-metric" in told.value.remedy and "--target-command" not in told.value.remedy


def test_a_summary_without_val_bpb_is_not_taken_for_autoresearch(tmp_path: Path) -> None:
    files = {**AUTORESEARCH, "train.py": "print('---')\nprint('accuracy: 1')\n"}
    with pytest.raises(LabError, match="must be told"):
        recognised(make_repository(tmp_path / "r", files))


WISHES = Wishes(
    command="python src/fit.py",
    editable=("src/*.py",),
    protected=("data/*", "src/model.py", "README"),
    metric=r"accuracy = (\S+)",
    direction=Direction.MAXIMISE,
    progress=r"epoch (\d+)/(\d+)",
    budget_seconds=5,
)


def test_any_other_repository_is_described_by_a_person_with_patterns_for_its_files(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "r", OTHER)
    with pytest.raises(LabError, match=r"src/model.py stands in both"):
        recognised(root, WISHES)
    target = recognised(root, Wishes(**{**fields(WISHES), "editable": ("src/fit.py",), "protected": ("*",)}))
    assert target.editable == ("src/fit.py",)
    assert target.protected == ("README", "data/test.csv", "src/model.py")
    assert target.direction is Direction.MAXIMISE


def test_a_file_that_is_not_committed_is_told(tmp_path: Path) -> None:
    root = make_repository(tmp_path / "r", OTHER)
    (root / "new.py").write_text("")
    with pytest.raises(LabError, match=r"'new.py' \(target.editable\)") as told:
        recognised(root, Wishes(**{**fields(WISHES), "editable": ("new.py",)}))
    assert "Commit it" in told.value.remedy


def fields(wishes: Wishes) -> dict[str, object]:
    return {name: getattr(wishes, name) for name in Wishes.__dataclass_fields__}
