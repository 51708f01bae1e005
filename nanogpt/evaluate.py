"""The trusted scorer: loads the weights of a run, asks its model for logits, and computes the bits per byte itself.

    python -m nanogpt.evaluate --train-py FILE --weights FILE --data DIR --profile P --seed N --result FILE

The score is the mean cross entropy in float32 over a fixed set of targets of the validation split, in bits, per byte of
text: sum of -log2 p(token | tokens before it in its window) / sum of the tokens' bytes. The windows are the same for
every model. A model that takes fewer tokens at once (its attribute `sequence`) gets each window in pieces: it predicts
the same targets with less to look back on.
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
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nanogpt import prepare

CONTEXT = {"cpu": 128, "gpu": 2048}
TARGETS = {"cpu": 2**17, "gpu": 2**22}
BATCH = {"cpu": 64, "gpu": 16}
CAUSALITY_TOLERANCE = {"cpu": 1e-3, "gpu": 0.25}


class Refusal(Exception):
    """The result is not accepted; the sentence says why."""


@dataclass(frozen=True)
class Score:
    val_bpb: float
    tokens: int
    bytes: int
    seconds: float
    parameters: int


def load_train_py(path: Path) -> ModuleType:
    """Import a run's train.py, with the installed prepare as its `prepare`. Raises Refusal."""
    sys.modules["prepare"] = prepare
    spec = importlib.util.spec_from_file_location("train", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["train"] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise Refusal(f"train.py cannot be imported by the scorer ({type(error).__name__}: {error})") from error
    if not callable(getattr(module, "build_model", None)):
        raise Refusal("train.py has no function build_model()")
    return module


def load_model(train_py: Path, weights: Path, device: torch.device) -> nn.Module:
    """build_model() with the saved weights, in evaluation mode. Raises Refusal."""
    module = load_train_py(train_py)
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:
        raise Refusal(f"the saved weights are not plain tensors ({type(error).__name__})") from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise Refusal("the saved weights are not a dictionary of plain tensors")
    try:
        model = module.build_model()
        if not isinstance(model, nn.Module):
            raise Refusal("build_model() does not return an nn.Module")
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise Refusal(f"the saved weights do not fit build_model() ({str(error).splitlines()[0]})") from error
    return model.to(device).eval()


def logits_of(model: nn.Module, tokens: Tensor, profile: str) -> Tensor:
    """logits[B, T, V] in float32. Raises Refusal for another shape or values that are not finite."""
    vocabulary = prepare.VOCABULARIES[profile]
    with prepare.precision():
        answer = model(tokens)
    if not isinstance(answer, Tensor) or answer.shape != (*tokens.shape, vocabulary):
        shape = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise Refusal(f"the model answers {shape} where logits {(*tokens.shape, vocabulary)} are due")
    logits = answer.float()
    if not bool(torch.isfinite(logits).all()):
        raise Refusal("the model's logits are not finite")
    return logits


def windows(tokens: np.ndarray, context: int, targets: int) -> np.ndarray:
    """Windows [N, context + 1], evenly spread over the split, with `targets` targets together if it has them."""
    count = max(1, min(targets // context, (len(tokens) - 1) // context))
    starts = np.linspace(0, len(tokens) - context - 1, count).astype(np.int64)
    return np.stack([tokens[start : start + context + 1] for start in starts]).astype(np.int64)


def pieces(window: Tensor, sequence: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and targets of windows [B, context + 1] in pieces of at most `sequence` tokens; every target once."""
    for start in range(0, window.shape[1] - 1, sequence):
        inputs = window[:, start : start + sequence][:, : window.shape[1] - 1 - start]
        yield inputs, window[:, start + 1 : start + 1 + inputs.shape[1]]


def check_causality(model: nn.Module, window: Tensor, sequence: int, profile: str, seed: int) -> None:
    """Change later tokens and compare the answers for the earlier ones. Raises Refusal when they differ."""
    generator = torch.Generator().manual_seed(seed)
    inputs = window[:4, : min(sequence, window.shape[1] - 1)]
    length = inputs.shape[1]
    if length < 2:
        return
    for _ in range(2):
        cut = int(torch.randint(1, length, (1,), generator=generator))
        changed = inputs.clone()
        noise = torch.randint(1, prepare.VOCABULARIES[profile], (inputs.shape[0], length - cut), generator=generator)
        changed[:, cut:] = (changed[:, cut:] + noise.to(inputs.device)) % prepare.VOCABULARIES[profile]
        before = logits_of(model, inputs, profile)[:, :cut]
        after = logits_of(model, changed, profile)[:, :cut]
        gap = float((before - after).abs().max())
        if gap > CAUSALITY_TOLERANCE[profile] * max(1.0, float(before.abs().max())):
            raise Refusal(f"the model looks at later tokens (its answers change by {gap:.3g} when only those change)")


def score(train_py: Path, weights: Path, directory: Path, profile: str, seed: int) -> Score:
    """Bits per byte of a run's model on the split in `directory`. Raises Refusal."""
    begin = time.monotonic()
    device = prepare.device()
    if device.type == "cpu":
        torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr), torch.inference_mode():
        model = load_model(train_py, weights, device)
        context = CONTEXT[profile]
        sequence = int(getattr(model, "sequence", context))
        if sequence < 1:
            raise Refusal(f"the model's `sequence` is {sequence}")
        all_windows = windows(prepare.read_tokens(directory), context, TARGETS[profile])
        lengths = _token_bytes(directory, profile)
        first = torch.from_numpy(all_windows[:: max(1, len(all_windows) // 4)][:4]).to(device)
        check_causality(model, first, sequence, profile, seed)
        nats, total_bytes, total = 0.0, 0, 0
        for start in range(0, len(all_windows), BATCH[profile]):
            window = torch.from_numpy(all_windows[start : start + BATCH[profile]]).to(device)
            for inputs, targets in pieces(window, sequence):
                logits = logits_of(model, inputs.contiguous(), profile)
                nats += float(F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").double())
                total += targets.numel()
                total_bytes += int(lengths[targets.cpu().numpy()].sum())
    bpb = nats / math.log(2) / total_bytes
    if not math.isfinite(bpb):
        raise Refusal(f"the score is {bpb}")
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Score(bpb, total, total_bytes, time.monotonic() - begin, parameters)


def _token_bytes(directory: Path, profile: str) -> np.ndarray:
    """How many bytes of text each token id stands for [V]."""
    if profile == "cpu":
        return np.ones(prepare.VOCABULARIES["cpu"], dtype=np.int64)
    return np.fromfile(directory.parent / "token_bytes.bin", dtype=np.uint16).astype(np.int64)


def write_result(path: Path, result: dict[str, object]) -> None:
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
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--profile", choices=sorted(prepare.VOCABULARIES), required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--result", type=Path, required=True)
    words = parser.parse_args(arguments)
    try:
        result = score(words.train_py, words.weights, words.data, words.profile, words.seed)
    except Refusal as refusal:
        write_result(words.result, {"refused": str(refusal)})
    else:
        write_result(words.result, vars(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
