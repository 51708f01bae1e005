"""Builds a train.py's model without its memory, and says how large it is: one line of JSON on standard output.

    python -u probe.py TRAIN_PY [MEMORY_BYTES]

It runs an agent's code, so size.py starts it inside the sandbox. It imports nothing but torch; `import prepare` finds
the file beside TRAIN_PY. The model is built on torch's meta device, where a tensor has a shape and no values, and
asked for logits there. Code that needs values (an initialisation that looks at its numbers) cannot run on meta: then
the model is built for real on the CPU. What fails only on meta is never held against a program.

The line: `failed` (null, or stage, line of train.py, words), `device` it was built on, `parameters`, and in bytes
`weights`, `gradients`, `optimiser`, `activations` (null where they could not be measured).
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

ROWS = 2
LONGEST = 2048  # tokens of a real forward pass on the CPU
CPU_BYTES = 2**30  # of weights, for a real forward pass on the CPU
MOMENTS = 2  # of AdamW, for every weight
FLOAT = 4

_PLAIN_MISTAKES = (NameError, TypeError, AttributeError, IndexError, KeyError, ZeroDivisionError)
_SHAPES = re.compile(r"shape|size|dimension|must match|expected .* (?:elements|channels)", re.IGNORECASE)
_DEVICES = re.compile(
    r"cuda|gpu|nvidia|triton|driver|meta|NoneType|not enough memory|allocate|out of memory", re.IGNORECASE
)


class Failed(Exception):
    """The program cannot train, or could not be scored."""

    def __init__(self, stage: str, words: str, line: int | None = None) -> None:
        super().__init__(words)
        self.stage, self.words, self.line = stage, words, line

    @classmethod
    def by(cls, stage: str, error: BaseException, path: Path) -> Failed:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = frames[-1].lineno if frames else None
        if isinstance(error, SyntaxError) and error.filename == str(path):
            line = error.lineno
        first = next((one.strip() for one in str(error).splitlines() if one.strip()), "")
        return cls(stage, f"{type(error).__name__}: {first}"[:300], line)


def load(path: Path) -> ModuleType:
    """Import train.py under the name that the scorer gives it. Raises Failed."""
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("train", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["train"] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise Failed.by("import", error, path) from error
    return module


def is_certain(error: BaseException, profile: str) -> bool:
    """Whether what failed here, on the CPU, would fail in a run as well.

    On the profile `cpu` this is where a run takes place; on `gpu` only plain mistakes and shapes that do not fit count.
    """
    if isinstance(error, MemoryError) or _DEVICES.search(str(error)):
        return False
    return profile == "cpu" or isinstance(error, _PLAIN_MISTAKES) or bool(_SHAPES.search(str(error)))


def build(
    train: ModuleType, path: Path, profile: str, devices: Sequence[str] = ("meta", "cpu")
) -> tuple[nn.Module | None, str]:
    """The model and the first device that it can be built on; None where only a real run can tell. Raises Failed."""
    for device in devices:
        try:
            with torch.device(device):
                model = train.build_model()
        except (Exception, SystemExit) as error:
            if device == "cpu" and is_certain(error, profile):
                raise Failed.by("build_model", error, path) from error
            continue
        if not isinstance(model, nn.Module):
            raise Failed("model", f"build_model() returns {type(model).__name__}, not an nn.Module")
        return model, device
    return None, "none"


def sequence_of(model: nn.Module, train: ModuleType) -> int:
    """Tokens that the model takes at once. Raises Failed for a `sequence` that the scorer does not take."""
    sequence = getattr(model, "sequence", None)
    if sequence is not None and (not isinstance(sequence, int) or sequence < 1):
        raise Failed(
            "model", f"the model's attribute `sequence` is {str(sequence)[:80]}, not a whole number above zero"
        )
    given = sequence or getattr(train, "SEQUENCE", None)
    return given if isinstance(given, int) and given > 0 else 128


def check_logits(model: nn.Module, device: str, sequence: int, vocabulary: int) -> None:
    """Ask for the logits of ROWS windows. Raises Failed for another shape, and whatever the model raises."""
    with torch.device(device), torch.no_grad():
        answer = model.eval()(torch.zeros(ROWS, sequence, dtype=torch.long))
    due = (ROWS, sequence, vocabulary)
    if not isinstance(answer, Tensor) or tuple(answer.shape) != due:
        shape = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise Failed("logits", f"model(tokens[{ROWS}, {sequence}]) answers {shape} where logits {due} are due")


def check_answer(model: nn.Module, device: str, train: ModuleType, path: Path, profile: str) -> None:
    """The model's answer on meta; where it cannot run there, for real if that is cheap enough. Raises Failed."""
    sequence, vocabulary = sequence_of(model, train), sys.modules["prepare"].VOCABULARY
    if device == "meta":
        try:
            check_logits(model, "meta", sequence, vocabulary)
            return
        except Failed:
            raise
        except (Exception, SystemExit):
            pass  # on the CPU it may well work
    if weights_of(model) > CPU_BYTES:
        return
    real = model if device == "cpu" else build(train, path, profile, ("cpu",))[0]
    if real is None:
        return
    try:
        check_logits(real, "cpu", min(sequence, LONGEST), vocabulary)
    except Failed:
        raise
    except (Exception, SystemExit) as error:
        if is_certain(error, profile):
            raise Failed.by("forward", error, path) from error


def weights_of(model: nn.Module) -> int:
    return sum(one.numel() * one.element_size() for one in {*model.parameters(), *model.buffers()})


def activations_of(model: nn.Module, train: ModuleType) -> int | None:
    """Bytes that one micro-batch keeps for its backward pass, logits included, each tensor as it is stored.

    Measured on meta by watching what autograd saves; None where the model cannot run there.
    """
    batch = getattr(train, "BATCH", 1)
    batch = batch if isinstance(batch, int) and batch > 0 else 1
    own = {one.untyped_storage()._cdata for one in (*model.parameters(), *model.buffers())}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage()._cdata not in own:
            kept[tensor.untyped_storage()._cdata] = tensor
        return tensor

    try:
        with torch.device("meta"), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            logits = model.train()(torch.zeros(batch, sequence_of(model, train), dtype=torch.long))
        return sum(one.untyped_storage().nbytes() for one in kept.values()) + int(logits.numel()) * FLOAT
    except (Failed, Exception, SystemExit):
        return None


def optimiser_state(model: nn.Module, train: ModuleType) -> int | None:
    """Bytes of state after one step of the program's own optimisers, taken on meta; None where that does not work."""
    try:
        with torch.device("meta"):
            optimizers = train.make_optimizers(model)
            for parameter in model.parameters():
                parameter.grad = torch.empty_like(parameter)
            for optimizer in optimizers:
                optimizer.step()
        states = [value for one in optimizers for state in one.state.values() for value in state.values()]
        return sum(one.numel() * one.element_size() for one in states if isinstance(one, Tensor))
    except (Exception, SystemExit):
        return None


def measured(path: Path, memory: int | None) -> dict[str, Any]:
    """What there is to say of the program at `path`."""
    told: dict[str, Any] = {"failed": None, "device": "none", "parameters": None}
    try:
        train = load(path)
        profile = sys.modules["prepare"].profile() if "prepare" in sys.modules else "cpu"
        model, told["device"] = build(train, path, profile)
        if model is None:
            return told
        told["parameters"] = sum(one.numel() for one in model.parameters())
        told["weights"] = weights_of(model)
        told["gradients"] = sum(one.numel() * one.element_size() for one in model.parameters() if one.requires_grad)
        told["optimiser"] = MOMENTS * told["gradients"]
        meta = told["device"] == "meta"
        told["activations"] = activations_of(model, train) if meta else None
        # The program's own optimisers may keep less than AdamW does. Asking them takes seconds: only where it matters.
        if meta and memory is not None and told["weights"] + told["gradients"] + told["optimiser"] > memory:
            state = optimiser_state(model, train)
            told["optimiser"] = told["optimiser"] if state is None else state
        if "prepare" in sys.modules:
            check_answer(model, told["device"], train, path, profile)
    except Failed as failed:
        told["failed"] = {"stage": failed.stage, "line": failed.line, "words": failed.words}
    return told


def main() -> None:
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what train.py prints is no part of the answer
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    memory = int(sys.argv[2]) if len(sys.argv) > 2 else None
    answer.write(json.dumps(measured(Path(sys.argv[1]).resolve(), memory)) + "\n")
    answer.flush()
    os._exit(0)  # threads and exit handlers of train.py are nobody's concern


if __name__ == "__main__":
    main()
