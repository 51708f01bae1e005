"""Real trainings with a tiny budget, the budget's clock, the live curve and the saved weights."""

from __future__ import annotations

import importlib.util
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from nanogpt import evaluate
from nanogpt import prepare as installed
from tests.nanogpt.worktree import INSTALLED, curve, kept_environment, lay_out, load_train_py, train


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    with kept_environment():
        yield


@pytest.fixture
def prepare(tmp_path: Path) -> ModuleType:
    """A fresh prepare.py as a run has it, with its own directory and a budget of 1000 seconds."""
    os.environ.update(
        AUTOLAB_PROFILE="cpu", AUTOLAB_RUN_DIR=str(tmp_path), AUTOLAB_SEED="1", AUTOLAB_BUDGET_SECONDS="1000"
    )
    spec = importlib.util.spec_from_file_location("prepare_of_a_run", INSTALLED / "prepare.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_run_trains_for_its_budget_and_the_scorer_finds_it_better_than_untrained(
    tmp_path: Path, corpus: Path
) -> None:
    run = train(lay_out(tmp_path / "tree"), corpus)
    lines = curve(run)
    steps = lines[1:-1]
    assert lines[0] == {"event": "start"} and lines[-1] == {"event": "saved"}
    assert steps[0]["step"] == 1 and steps[0]["loss"] > 5
    assert steps[-1]["loss"] < 4.5 and 0.9 < steps[-1]["progress"] <= 1.0
    assert all(step["tokens"] // step["step"] >= 1 for step in steps)
    assert "of the budget" in (run / "printed").read_text()
    score = evaluate.score(
        evaluate.answer_command(tmp_path / "tree/train.py", run / "weights.pt"), corpus / "validation", "cpu"
    )
    assert 3.0 < score.val_bpb < 6.5
    assert score.tokens == score.bytes == 2**17
    assert 100_000 < score.parameters < 200_000


def test_the_seed_decides_the_weights_and_the_batches(corpus: Path, tmp_path: Path) -> None:
    os.environ.update(AUTOLAB_PROFILE="cpu", AUTOLAB_TRAIN_DATA=str(corpus / "train"), AUTOLAB_RUN_DIR=str(tmp_path))
    module = load_train_py(INSTALLED / "train.py")

    def first_loss(seed: int) -> float:
        os.environ["AUTOLAB_SEED"] = str(seed)
        installed.set_seed()
        tokens = next(installed.batches(4, 32, torch.device("cpu")))
        return float(module.loss_of(module.build_model(), *tokens).detach())

    assert first_loss(1) == first_loss(1) != first_loss(2)


def test_train_py_has_no_side_effects_on_import(tmp_path: Path) -> None:
    tree = lay_out(tmp_path / "tree")
    os.environ.update(AUTOLAB_PROFILE="cpu", AUTOLAB_RUN_DIR=str(tmp_path / "run"))
    module = load_train_py(tree / "train.py")
    assert isinstance(module.build_model(), torch.nn.Module)
    assert not (tmp_path / "run").exists()


def test_the_cpu_clock_counts_work_and_not_waiting(prepare: ModuleType) -> None:
    budget = prepare.Budget()
    time.sleep(0.3)
    waited = budget.seconds
    deadline = time.process_time() + 0.3
    while time.process_time() < deadline:
        pass
    assert waited < 0.15
    assert 0.3 <= budget.seconds - waited < 0.5
    assert 0 < budget.progress < 0.01 and not budget.expired


def test_the_wall_clock_leaves_out_the_seconds_that_the_harness_held_the_run(
    prepare: ModuleType, tmp_path: Path
) -> None:
    os.environ["AUTOLAB_PROFILE"] = "gpu"
    budget = prepare.Budget()
    before = budget.seconds
    (tmp_path / "paused").write_bytes(struct.pack("<d", 50.0))
    assert budget.seconds == pytest.approx(before - 50.0, abs=5)


def test_a_spent_budget_is_expired_and_its_progress_is_one(prepare: ModuleType) -> None:
    os.environ["AUTOLAB_BUDGET_SECONDS"] = "1e-9"
    budget = prepare.Budget()
    assert budget.expired and budget.progress == 1.0


def test_the_curve_is_thinned_but_keeps_the_first_and_the_last_step(prepare: ModuleType, tmp_path: Path) -> None:
    prepare.Budget()
    for step in range(1, 2001):
        prepare.log(step, loss=torch.tensor(3.0), tokens=step * 8)
    prepare.save(torch.nn.Linear(2, 2))
    steps = [line for line in curve(tmp_path) if "step" in line]
    assert steps[0]["step"] == 1 and steps[-1]["step"] == 2000
    assert steps[-1]["tokens"] == 16000 and len(steps) < 100


def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence(prepare: ModuleType, tmp_path: Path) -> None:
    prepare.Budget()
    with pytest.raises(FloatingPointError, match="the loss is nan at step 1"):
        prepare.log(1, loss=float("nan"))
    assert curve(tmp_path)[-1]["loss"] == "nan"


def test_saved_weights_are_plain_tensors_under_the_names_of_the_uncompiled_model(
    prepare: ModuleType, tmp_path: Path
) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.BatchNorm1d(3))
    prepare.save(torch.nn.ModuleDict({"_orig_mod": model}))
    state = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(state[name], tensor) for name, tensor in model.state_dict().items())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.jsonl", "weights.pt"]


def test_batches_are_windows_of_the_train_split_with_the_next_tokens_as_targets(
    prepare: ModuleType, corpus: Path
) -> None:
    os.environ["AUTOLAB_TRAIN_DATA"] = str(corpus / "train")
    tokens, targets = next(prepare.batches(4, 32, torch.device("cpu")))
    again, _ = next(prepare.batches(4, 32, torch.device("cpu")))
    assert tokens.shape == targets.shape == (4, 32) and tokens.dtype == torch.int64
    assert torch.equal(tokens[:, 1:], targets[:, :-1]) and torch.equal(tokens, again)
    text = (corpus / "train/tokens.bin").read_bytes()
    assert all(bytes([*row.tolist()]) in text for row in tokens)


def test_by_hand_without_a_corpus_the_remedy_is_named(prepare: ModuleType, tmp_path: Path) -> None:
    os.environ["AUTOLAB_TRAIN_DATA"] = str(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"build it with `python -m nanogpt.corpora --profile cpu`"):
        next(prepare.batches(4, 32, torch.device("cpu")))


def test_a_run_whose_gpu_torch_cannot_use_does_not_train_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("AUTOLAB_PROFILE", "gpu")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1")  # as for a run on a slot
    with pytest.raises(RuntimeError, match="cannot use the GPU of this run"):
        installed.device()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # as for a smoke run of a few steps
    assert installed.device().type == "cpu"
