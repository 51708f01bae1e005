"""The trusted scorer: right where the answer is known, and firm where a result is not to be accepted."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from nanogpt import evaluate
from nanogpt.answerer import Refusal
from nanogpt.evaluate import Score
from tests.nanogpt.worktree import kept_environment

TABLE = """
import torch
import torch.nn as nn

import prepare


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(prepare.VOCABULARY, prepare.VOCABULARY)

    def forward(self, tokens):
        return ANSWER


def build_model():
    return Table()
"""
TOKENS = 20_001


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    with kept_environment():
        yield


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """A validation split of random bytes."""
    directory = tmp_path / "validation"
    directory.mkdir()
    np.random.default_rng(0).integers(0, 256, TOKENS, dtype=np.uint8).tofile(directory / "tokens.bin")
    return directory


def score_of(
    place: Path, split: Path, answer: str = "self.table(tokens)", table: torch.Tensor | None = None, more: str = ""
) -> Score:
    """The score of a model that is a table of logits by token, or of what `answer` makes of it."""
    (place / "train.py").write_text(TABLE.replace("ANSWER", answer) + more)
    torch.save({"table.weight": torch.zeros(256, 256) if table is None else table}, place / "weights.pt")
    return evaluate.score(evaluate.answer_command(place / "train.py", place / "weights.pt"), split, "cpu")


def test_a_uniform_model_takes_eight_bits_for_a_byte(tmp_path: Path, split: Path) -> None:
    score = score_of(tmp_path, split)
    assert score.val_bpb == pytest.approx(8.0, abs=1e-6)
    assert score.tokens == score.bytes == (TOKENS - 1) // 128 * 128
    assert score.parameters == 256 * 256


def test_the_score_of_a_known_distribution_is_what_a_computation_by_hand_gives(tmp_path: Path, split: Path) -> None:
    table = torch.randn(256, 256, generator=torch.Generator().manual_seed(3)) * 2
    score = score_of(tmp_path, split, table=table)
    tokens = np.fromfile(split / "tokens.bin", dtype=np.uint8)
    weights = table.double().numpy()
    bits = np.log2(np.exp(weights).sum(axis=1, keepdims=True)) - weights / math.log(2)
    windows = evaluate.windows_of(tokens, 128, 2**17)
    assert score.val_bpb == pytest.approx(bits[windows[:, :-1], windows[:, 1:]].mean(), abs=1e-5)


def test_every_target_is_predicted_once_whatever_the_model_takes_at_once(tmp_path: Path, split: Path) -> None:
    table = torch.randn(256, 256, generator=torch.Generator().manual_seed(3))
    whole = score_of(tmp_path, split, table=table)
    for sequence in (1, 50, 4096):
        pieces = score_of(tmp_path, split, table=table, more=f"\n\nTable.sequence = {sequence}\n")
        assert pieces.val_bpb == pytest.approx(whole.val_bpb, abs=1e-6) and pieces.tokens == whole.tokens, sequence


def test_the_windows_cover_different_targets_each() -> None:
    windows = evaluate.windows_of(np.arange(1000, dtype=np.uint16), 64, 2**17)
    targets = windows[:, 1:].ravel()
    assert len(set(targets.tolist())) == len(targets) == 15 * 64


NARROW = """
import torch.nn as nn

import prepare


class Narrow(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(prepare.VOCABULARY, 4)
        self.head = nn.Linear(4, prepare.VOCABULARY)

    def forward(self, tokens):
        return self.head(self.embedding(tokens))


def build_model():
    return Narrow()
"""


@pytest.fixture
def web_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A validation split of profile gpu: random ids, of two bytes each; asked in several questions."""
    monkeypatch.setitem(evaluate.TOKENS_AT_ONCE, "gpu", 2048)
    directory = tmp_path / "validation"
    directory.mkdir()
    np.random.default_rng(0).integers(0, 8192, 3 * 2048 + 1, dtype=np.uint16).tofile(directory / "tokens.bin")
    np.full(8192, 2, dtype=np.uint16).tofile(directory / "token_bytes.bin")
    return directory


def narrow(place: Path, forward: str = "self.embedding(tokens)") -> tuple[list[str], dict[str, torch.Tensor]]:
    """The command of an answerer and its weights."""
    generator = torch.Generator().manual_seed(5)
    sizes = {"embedding.weight": (8192, 4), "head.weight": (8192, 4), "head.bias": (8192,)}
    weights = {name: torch.randn(size, generator=generator) for name, size in sizes.items()}
    (place / "train.py").write_text(NARROW.replace("self.embedding(tokens)", forward))
    torch.save(weights, place / "weights.pt")
    return evaluate.answer_command(place / "train.py", place / "weights.pt"), weights


def test_the_profile_gpu_scores_by_the_bytes_that_its_tokens_stand_for(tmp_path: Path, web_split: Path) -> None:
    command, weights = narrow(tmp_path)
    score = evaluate.score(command, web_split, "gpu")
    ids = torch.from_numpy(np.fromfile(web_split / "tokens.bin", dtype=np.uint16).astype(np.int64))
    logits = weights["embedding.weight"].double()[ids[:-1]] @ weights["head.weight"].double().T + weights["head.bias"]
    nats = torch.nn.functional.cross_entropy(logits, ids[1:])
    assert score.val_bpb == pytest.approx(float(nats) / math.log(2) / 2, abs=1e-5)
    assert (score.tokens, score.bytes) == (3 * 2048, 3 * 2048 * 2)


def test_the_profile_gpu_refuses_a_model_that_looks_at_later_tokens(tmp_path: Path, web_split: Path) -> None:
    command, _ = narrow(tmp_path, "self.embedding(tokens.roll(-1, 1))")
    with pytest.raises(Refusal, match="looks at later tokens"):
        evaluate.score(command, web_split, "gpu")


REFUSED = {
    "a model that looks at later tokens": ("self.table(tokens.roll(-1, 1))", "looks at later tokens"),
    "a model that looks at the end of its input": (
        "self.table(tokens) + 0.01 * self.table(tokens[:, -1:]) + tokens.float().mean() / 8 * tokens[..., None]",
        "looks at later tokens",
    ),
    "logits that are not finite": ("self.table(tokens) / 0", "not finite"),
    "logits over too few tokens": ("self.table(tokens)[..., :255]", "where logits"),
    "logits for the last token alone": ("self.table(tokens)[:, -1:]", "where logits"),
    "an answer that is no tensor": ("(self.table(tokens), None)", "where logits .* are due"),
    "a model that fails": ("self.table(tokens + 1000)", "the model fails on tokens"),
    "a model that leaves the process": ("exit()", "the model fails on tokens"),
}


def test_the_scorer_compares_pieces_of_every_length(tmp_path: Path, split: Path) -> None:
    """A model of 65 tokens gets each window in two pieces; looking ahead in the shorter one alone shows as well."""
    answer = "self.table(tokens.roll(-1, 1) if tokens.shape[1] == 63 else tokens)"
    with pytest.raises(Refusal, match="looks at later tokens"):
        score_of(tmp_path, split, answer, torch.randn(256, 256), "\n\nTable.sequence = 65\n")


@pytest.mark.parametrize("sequence", [128, 8])
def test_the_scorer_refuses_a_memory_that_shows_in_the_last_answer_alone(
    tmp_path: Path, split: Path, sequence: int
) -> None:
    more = f"""
def forward(self, tokens):
    self.asked = getattr(self, "asked", 0) + 1
    answer = self.table(tokens)
    answer[:, -1] += self.asked * torch.linspace(0, 1, 256)
    return answer


Table.forward, Table.sequence = forward, {sequence}
"""
    with pytest.raises(Refusal, match="depend on more than the tokens"):
        score_of(tmp_path, split, more=more)


def test_nothing_that_the_first_process_does_to_its_output_is_there_for_the_second(
    tmp_path: Path, split: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    more = """

import fcntl
import os

pipe = os.fstat(2)
told = fcntl.fcntl(2, 1032), fcntl.fcntl(2, fcntl.F_GETFL) & os.O_NONBLOCK  # its size
os.write(2, f"found {told[0]} {told[1]} at {pipe.st_ino}\\n".encode())
fcntl.fcntl(2, 1031, told[0] // 2)
fcntl.fcntl(2, fcntl.F_SETFL, os.O_NONBLOCK)
"""
    score_of(tmp_path, split, more=more)
    found = [line.split(" at ") for line in capfd.readouterr().err.splitlines() if line.startswith("found")]
    assert len(found) == 2 and found[0][0] == found[1][0], found
    assert all(place != str(os.fstat(2).st_ino) for _, place in found)


ORPHAN = """

import os, time
kept = PLACE + "/pid"
if os.path.exists(kept):
    state = "gone"
    try:
        state = open(f"/proc/{open(kept).read()}/stat").read().rsplit(")")[1].split()[0]
    except OSError:
        pass
    os.write(2, f"of the first there is {state}\\n".encode())
elif os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        end = time.process_time() + 1
        while time.process_time() < end:
            pass
        open(kept, "w").write(str(os.getpid()))
        time.sleep(60)
    os._exit(0)
else:
    os.wait()
    while not os.path.exists(kept):
        time.sleep(0.05)
"""


def test_what_the_first_process_left_behind_is_gone_before_the_second_and_on_its_account(
    tmp_path: Path, split: Path
) -> None:
    """Without name spaces nobody else buries it: it would tell the second what the first was asked."""
    (tmp_path / "train.py").write_text(
        TABLE.replace("ANSWER", "self.table(tokens)") + ORPHAN.replace("PLACE", repr(str(tmp_path)))
    )
    torch.save({"table.weight": torch.zeros(256, 256)}, tmp_path / "weights.pt")
    scored = scorer(tmp_path, split)
    result = json.loads((tmp_path / "score.json").read_text())
    assert "val_bpb" in result and "of the first there is gone" in scored.stderr, (result, scored.stderr)
    assert result["loading_seconds"] > 0.9, "its time is the model's"


def test_a_refusal_carries_nothing_of_the_text_that_the_model_was_shown(tmp_path: Path, split: Path) -> None:
    answer = "type('A' + bytes(tokens[0].tolist()).hex(), (KeyError,), {}).__call__(1)\n        "
    raising = f"(_ for _ in ()).throw({answer.strip()})"
    with pytest.raises(Refusal) as caught:
        score_of(tmp_path, split, raising)
    assert str(caught.value) == "the model fails on tokens of shape (64, 128) (KeyError, train.py line 14); see the log"


@pytest.mark.parametrize(("answer", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_the_scorer_refuses(tmp_path: Path, split: Path, answer: str, sentence: str) -> None:
    with pytest.raises(Refusal, match=sentence):
        score_of(tmp_path, split, answer, table=torch.randn(256, 256))


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("x = 1\n", "no function build_model"),
        ("def build_model(:\n", "cannot be imported by the scorer .SyntaxError"),
        ("import sys\nsys.exit(0)\n", "cannot be imported by the scorer .SystemExit"),
        ("def build_model():\n    return 5\n", "returns int, not an nn.Module"),
        ("def build_model():\n    raise ValueError('no')\n", "build_model.. fails .ValueError: no"),
        (TABLE.replace("ANSWER", "0") + "\n\nTable.sequence = 'all'\n", "attribute `sequence` is 'all'"),
    ],
)
def test_the_scorer_refuses_a_train_py_without_a_model(tmp_path: Path, split: Path, source: str, sentence: str) -> None:
    (tmp_path / "train.py").write_text(source)
    torch.save({"table.weight": torch.zeros(256, 256)}, tmp_path / "weights.pt")
    with pytest.raises(Refusal, match=sentence):
        evaluate.score(evaluate.answer_command(tmp_path / "train.py", tmp_path / "weights.pt"), split, "cpu")


def weights_refused(place: Path, split: Path, state: object | bytes | None) -> str:
    (place / "train.py").write_text(TABLE.replace("ANSWER", "self.table(tokens)"))
    if isinstance(state, bytes):
        (place / "weights.pt").write_bytes(state)
    elif state is not None:
        torch.save(state, place / "weights.pt")
    with pytest.raises(Refusal) as caught:
        evaluate.score(evaluate.answer_command(place / "train.py", place / "weights.pt"), split, "cpu")
    return str(caught.value)


def test_the_scorer_refuses_when_no_weights_were_saved(tmp_path: Path, split: Path) -> None:
    assert weights_refused(tmp_path, split, None) == "there are no saved weights"


def test_the_scorer_refuses_weights_that_are_cut_short(tmp_path: Path, split: Path) -> None:
    assert "not plain tensors, or damaged" in weights_refused(tmp_path, split, b"PK\x03\x04 cut short")


def test_the_scorer_refuses_weights_with_code_in_them(tmp_path: Path, split: Path) -> None:
    assert "not plain tensors" in weights_refused(tmp_path, split, {"table.weight": Path("x")})


def test_the_scorer_refuses_numbers_instead_of_tensors(tmp_path: Path, split: Path) -> None:
    assert "not a dictionary of plain tensors" in weights_refused(tmp_path, split, {"table.weight": 1.0})


def test_the_scorer_refuses_weights_of_another_shape(tmp_path: Path, split: Path) -> None:
    sentence = weights_refused(tmp_path, split, {"table.weight": torch.zeros(256, 255)})
    assert "do not fit build_model()" in sentence and "size mismatch" in sentence


def test_the_scorer_refuses_weights_with_names_missing_or_too_many(tmp_path: Path, split: Path) -> None:
    extra = {"table.weight": torch.zeros(256, 256), "more": torch.zeros(1)}
    assert 'Unexpected key(s) in state_dict: "more"' in weights_refused(tmp_path, split, extra)
    assert 'Missing key(s) in state_dict: "table.weight"' in weights_refused(tmp_path, split, {})


def test_a_train_py_that_replaces_the_loss_function_changes_no_score(tmp_path: Path, split: Path) -> None:
    fake = "\n\nnn.functional.cross_entropy = torch.nn.functional.cross_entropy = lambda *a, **k: torch.zeros(1)\n"
    assert score_of(tmp_path, split, more=fake).val_bpb == pytest.approx(8.0, abs=1e-6)


def scorer(place: Path, split: Path) -> subprocess.CompletedProcess[str]:
    """The scorer as the supervisor starts it, with no word about the profile in the environment."""
    return subprocess.run(
        [
            *(sys.executable, "-P", "-m", "nanogpt.evaluate", "--train-py", str(place / "train.py")),
            *("--weights", str(place / "weights.pt"), "--data", str(split), "--profile", "cpu"),
            *("--result", str(place / "score.json")),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(Path(evaluate.__file__).parents[1])},
        check=False,
    )


def test_what_train_py_prints_is_never_a_score(tmp_path: Path, split: Path) -> None:
    printing = "\n\nprint('{\"val_bpb\": 0.5}')\n"
    (tmp_path / "train.py").write_text(TABLE.replace("ANSWER", "self.table(tokens)") + printing)
    torch.save({"table.weight": torch.zeros(256, 256)}, tmp_path / "weights.pt")
    (tmp_path / "score.json").write_text('{"val_bpb": 0.5}')
    done = scorer(tmp_path, split)
    assert done.returncode == 0 and done.stdout == ""
    result = json.loads((tmp_path / "score.json").read_text())
    assert result["val_bpb"] == pytest.approx(8.0, abs=1e-6)
    assert result.keys() >= {"val_bpb", "tokens", "bytes", "seconds", "parameters"}


def test_a_train_py_that_ends_the_process_of_its_model_ends_no_scorer(tmp_path: Path, split: Path) -> None:
    (tmp_path / "train.py").write_text("import os\nos._exit(0)\n")
    torch.save({"table.weight": torch.zeros(256, 256)}, tmp_path / "weights.pt")
    (tmp_path / "score.json").write_text('{"val_bpb": 0.5}')
    scorer(tmp_path, split)
    assert "ended in the middle" in json.loads((tmp_path / "score.json").read_text())["refused"]
