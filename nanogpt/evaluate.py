"""The trusted scorer: loads the weights of a run, asks its model for logits, and computes the bits per byte itself.

    python -m nanogpt.evaluate --train-py FILE --weights FILE --data DIR --profile P --seed N --result FILE

The score is the sum of -log2 p(token | tokens before it in its window) over a fixed set of targets of the validation
split, in float32, divided by the bytes of text that those targets stand for. The windows are the same for every model.
A model that takes fewer tokens at once (its attribute `sequence`) gets each window in pieces: it predicts the same
targets, each exactly once, with less to look back on.

Writes the score, or `{"refused": sentence}`; both exit with 0.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import math
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

# Bound here, before train.py can put anything else in its place.
from torch.nn.functional import cross_entropy

from nanogpt import prepare

CONTEXT = {"cpu": 128, "gpu": 2048}  # targets a window
TARGETS = {"cpu": 2**17, "gpu": 2**21}  # targets at most
BATCH = {"cpu": 64, "gpu": 16}  # windows at once
CUTS = 4  # places where the causality check changes the future
CAUSALITY_TOLERANCE = {"cpu": 1e-3, "gpu": 3e-2}  # of the largest logit; bfloat16 keeps 3 decimal digits

Ids = npt.NDArray[np.integer]


class Refusal(Exception):
    """The result is not accepted; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Score:
    val_bpb: float
    tokens: int
    bytes: int
    seconds: float
    parameters: int


# The model


def load_train_py(path: Path) -> ModuleType:
    """Import a run's train.py, with the installed prepare as its `prepare`. Raises Refusal."""
    sys.modules["prepare"] = prepare
    spec = importlib.util.spec_from_file_location("train", path)
    if spec is None or spec.loader is None:
        raise Refusal(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["train"] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise Refusal(f"train.py cannot be imported by the scorer ({_words(error)})") from error
    if not callable(getattr(module, "build_model", None)):
        raise Refusal("train.py has no function build_model()")
    return module


def load_weights(path: Path) -> dict[str, Tensor]:
    """The saved tensors by name; nothing else is unpickled. Raises Refusal."""
    if not path.exists():
        raise Refusal("there are no saved weights")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise Refusal("the saved weights are not plain tensors, or damaged") from error
    if not isinstance(state, dict) or not all(type(value) is Tensor for value in state.values()):
        raise Refusal("the saved weights are not a dictionary of plain tensors")
    return state


def load_model(train_py: Path, weights: Path, device: torch.device) -> nn.Module:
    """build_model() with the saved weights, in evaluation mode. Raises Refusal."""
    state = load_weights(weights)
    module = load_train_py(train_py)
    try:
        model = module.build_model()
    except (Exception, SystemExit) as error:
        raise Refusal(f"build_model() fails ({_words(error)})") from error
    if not isinstance(model, nn.Module):
        raise Refusal(f"build_model() returns {type(model).__name__}, not an nn.Module")
    try:
        model.load_state_dict(state, strict=True)
    except Exception as error:
        raise Refusal(f"the saved weights do not fit build_model() ({_words(error, 2)})") from error
    return model.to(device).eval()


def sequence_of(model: nn.Module, context: int) -> int:
    """How many tokens the model takes at once: its attribute `sequence`, the profile's context at most."""
    sequence = getattr(model, "sequence", context)
    if not isinstance(sequence, int) or sequence < 1:
        raise Refusal(f"the model's attribute `sequence` is {sequence!r}, but must be a whole number above zero")
    return min(sequence, context)


def logits_of(model: nn.Module, tokens: Tensor, profile: str) -> Tensor:
    """tokens[B, T] -> logits[B, T, V] in float32. Raises Refusal for another shape or values that are not finite."""
    due = (*tokens.shape, prepare.VOCABULARIES[profile])
    try:
        with prepare.precision():
            answer = model(tokens.clone())
    except (Exception, SystemExit) as error:
        raise Refusal(f"the model fails on tokens of shape {tuple(tokens.shape)} ({_words(error)})") from error
    if not isinstance(answer, Tensor) or tuple(answer.shape) != due:
        shape = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise Refusal(f"the model answers {shape} where logits {due} are due")
    logits = answer.float()
    if not bool(torch.isfinite(logits).all()):
        raise Refusal("the model's logits are not finite")
    return logits


def check_causality(model: nn.Module, windows: Tensor, profile: str, seed: int) -> None:
    """Change later tokens of windows[B, T] and compare the answers for the earlier ones. Raises Refusal."""
    generator = torch.Generator().manual_seed(seed)
    count, length = windows.shape
    vocabulary = prepare.VOCABULARIES[profile]
    if length < 2:
        return
    before = logits_of(model, windows, profile)
    tolerance = CAUSALITY_TOLERANCE[profile] * max(1.0, float(before.abs().max()))
    for _ in range(CUTS):
        cut = int(torch.randint(1, length, (1,), generator=generator))
        shift = torch.randint(1, vocabulary, (count, length - cut), generator=generator).to(windows.device)
        changed = windows.clone()
        changed[:, cut:] = (changed[:, cut:] + shift) % vocabulary
        gap = float((logits_of(model, changed, profile)[:, :cut] - before[:, :cut]).abs().max())
        if gap > tolerance:
            raise Refusal(f"the model looks at later tokens: its logits change by {gap:.3g} when only those change")


# The validation split


def windows_of(tokens: Ids, context: int, targets: int) -> npt.NDArray[np.int64]:
    """Windows [N, context + 1], evenly spread, none overlapping another's targets, N * context <= `targets`."""
    count = min(targets // context, (len(tokens) - 1) // context)
    if count < 1:
        raise ValueError(f"the split has {len(tokens)} tokens, too few for a window of {context + 1}")
    starts = np.linspace(0, len(tokens) - context - 1, count).astype(np.int64)
    return np.stack([tokens[start : start + context + 1] for start in starts]).astype(np.int64)


def pieces(window: Tensor, sequence: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets of windows [B, context + 1], in pieces of at most `sequence` tokens; every target once."""
    for start in range(0, window.shape[1] - 1, sequence):
        stop = min(start + sequence, window.shape[1] - 1)
        yield window[:, start:stop].contiguous(), window[:, start + 1 : stop + 1].contiguous()


def token_bytes(directory: Path, profile: str) -> npt.NDArray[np.int64]:
    """How many bytes of text each token id stands for [V]."""
    if profile == "cpu":
        return np.ones(prepare.VOCABULARIES["cpu"], dtype=np.int64)
    return np.fromfile(directory / "token_bytes.bin", dtype=np.uint16).astype(np.int64)


# The score


def score(train_py: Path, weights: Path, directory: Path, profile: str, seed: int) -> Score:
    """Bits per byte of a run's model on the split in `directory`. Raises Refusal."""
    begin = time.monotonic()
    os.environ["AUTOLAB_PROFILE"] = profile  # train.py and prepare.py ask there
    device = prepare.device()
    with contextlib.redirect_stdout(sys.stderr), torch.no_grad():
        model = load_model(train_py, weights, device)
        torch.set_grad_enabled(False)
        if device.type == "cpu":
            torch.set_num_threads(1)
        sequence = sequence_of(model, CONTEXT[profile])
        windows = windows_of(prepare.read_tokens(directory), CONTEXT[profile], TARGETS[profile])
        some = torch.from_numpy(windows[:: max(1, len(windows) // 4)][:4, :sequence])
        check_causality(model, some.to(device), profile, seed)
        nats = sum(_nats(model, windows, sequence, profile, device))
    targets = windows[:, 1:]
    total_bytes = int(token_bytes(directory, profile)[targets].sum())
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Score(nats / math.log(2) / total_bytes, targets.size, total_bytes, time.monotonic() - begin, parameters)


def _nats(
    model: nn.Module, windows: npt.NDArray[np.int64], sequence: int, profile: str, device: torch.device
) -> Iterator[float]:
    """The summed cross entropy of each batch of pieces, float32 over float32 logits."""
    for start in range(0, len(windows), BATCH[profile]):
        window = torch.from_numpy(windows[start : start + BATCH[profile]]).to(device)
        for inputs, targets in pieces(window, sequence):
            logits = logits_of(model, inputs, profile)
            each = cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
            yield float(each.double().sum())


def _words(error: BaseException, lines: int = 1) -> str:
    found = [line.strip() for line in str(error).strip().splitlines() if line.strip()][:lines]
    return f"{type(error).__name__}: {' '.join(found)}"[:300]


def write_result(path: Path, result: dict[str, object]) -> None:
    """Complete or not at all."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(result, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m nanogpt.evaluate", description="Score the weights of a run.")
    parser.add_argument("--train-py", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="directory of the split")
    parser.add_argument("--profile", choices=sorted(prepare.VOCABULARIES), required=True)
    parser.add_argument("--seed", type=int, required=True, help="decides where the causality check looks")
    parser.add_argument("--result", type=Path, required=True)
    words = parser.parse_args(arguments)
    words.result.unlink(missing_ok=True)  # whatever lies there, this scorer did not write it
    try:
        result: dict[str, object] = asdict(score(words.train_py, words.weights, words.data, words.profile, words.seed))
    except Refusal as refusal:
        result = {"refused": str(refusal)}
    write_result(words.result, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
