"""The half of scoring that runs an agent's code: it loads the saved weights into the model and answers with logits.

    python answer.py TRAIN_PY WEIGHTS        started by evaluate.py, which sits at the other end of standard input

It holds no text to score, and what it says is believed in nothing but being logits. It stands alone beside prepare.py,
so that a sandbox needs to show these two files only. evaluate.py describes the conversation.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import json
import mmap
import os
import socket
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

import prepare
import torch
from torch import Tensor, nn

LONGEST = 300
WIRE_TYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}


class Refusal(Exception):
    """There is no answer; the sentence says why. `cause` is the error that train.py raised on tokens."""

    def __init__(self, sentence: str, cause: BaseException | None = None) -> None:
        super().__init__(sentence)
        self.cause = cause


def import_what_it_imports(path: Path) -> None:
    """So that loading the libraries is not counted as loading the model; what fails here fails again, and is told."""
    with contextlib.suppress(Exception):
        for node in ast.walk(ast.parse(path.read_bytes())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            for name in names:
                with contextlib.suppress(Exception, SystemExit):
                    importlib.import_module(name)


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


def load_train_py(path: Path) -> ModuleType:
    """Import a run's train.py. Raises Refusal."""
    spec = importlib.util.spec_from_file_location("train", path)
    if spec is None or spec.loader is None:
        raise Refusal(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["train"] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise Refusal(f"train.py cannot be imported by the scorer ({words_of(error)})") from error
    if not callable(getattr(module, "build_model", None)):
        raise Refusal("train.py has no function build_model()")
    return module


def load_model(train_py: Path, weights: Path, device: torch.device) -> nn.Module:
    """build_model() with the saved weights, in evaluation mode. Raises Refusal."""
    state = load_weights(weights)
    module = load_train_py(train_py)
    try:
        model = module.build_model()
    except (Exception, SystemExit) as error:
        raise Refusal(f"build_model() fails ({words_of(error)})") from error
    if not isinstance(model, nn.Module):
        raise Refusal(f"build_model() returns {type(model).__name__}, not an nn.Module")
    try:
        model.load_state_dict(state, strict=True)
    except Exception as error:
        raise Refusal(f"the saved weights do not fit build_model() ({words_of(error, 2)})") from error
    return model.to(device).eval()


def logits_of(model: nn.Module, tokens: Tensor) -> Tensor:
    """tokens[B, T] -> logits[B, T, V]. Raises Refusal for another shape."""
    due = (*tokens.shape, prepare.VOCABULARY)
    try:
        with prepare.precision():
            answer = model(tokens)
    except (Exception, SystemExit) as error:
        sentence = f"the model fails on tokens of shape {tuple(tokens.shape)} ({words_of(error)})"
        raise Refusal(sentence, error) from error
    if not isinstance(answer, Tensor) or tuple(answer.shape) != due:
        shape = tuple(answer.shape) if isinstance(answer, Tensor) else type(answer).__name__
        raise Refusal(f"the model answers {shape} where logits {due} are due")
    return answer.detach()


def words_of(error: BaseException, lines: int = 1) -> str:
    found = [line.strip() for line in str(error).strip().splitlines() if line.strip()][:lines]
    return f"{type(error).__name__}: {' '.join(found)}"[:LONGEST]


def where(error: BaseException | None) -> dict[str, Any]:
    """The kind of an error, and the line of train.py that raised it."""
    if error is None:
        return {}
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == sys.argv[1]]
    kind = next(one for one in type(error).__mro__ if one.__module__ == "builtins")
    return {"error": kind.__name__, "line": lines[-1] if lines else None}


class Desk:
    """The conversation: small messages on the line, tokens and logits in memory that both sides share."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        message, descriptors, _, _ = socket.recv_fds(line, 4096, 1)
        words = json.loads(message)
        self._tokens_bytes = int(words["tokens_bytes"])
        self._shared = mmap.mmap(descriptors[0], int(words["bytes"]))

    def say(self, **words: Any) -> None:
        self._line.send(json.dumps(words).encode())

    def hear(self) -> dict[str, Any] | None:
        """None when the scorer has gone."""
        message = self._line.recv(4096)
        return json.loads(message) if message else None

    def question(self, shape: tuple[int, int], device: torch.device) -> Tensor:
        """tokens[B, T] int64."""
        count = shape[0] * shape[1]
        return torch.frombuffer(self._shared, dtype=torch.int64, count=count).clone().view(shape).to(device)

    def answer(self, logits: Tensor) -> str:
        """Put them where the scorer reads; returns their type on the wire."""
        if logits.dtype not in WIRE_TYPES:
            logits = logits.float()
        room = torch.frombuffer(self._shared, dtype=logits.dtype, count=logits.numel(), offset=self._tokens_bytes)
        room.view(logits.shape).copy_(logits)
        return WIRE_TYPES[logits.dtype]


def take_the_line() -> socket.socket:
    """Standard input is the line; what the model's code reads from it finds it empty."""
    line = socket.socket(fileno=os.dup(0))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return line


def converse(desk: Desk, train_py: Path, weights: Path) -> None:
    """Answer until the scorer has heard enough. Raises Refusal."""
    device = prepare.device()
    if device.type == "cpu":
        torch.set_num_threads(1)
    torch.zeros(1, device=device)  # waking a GPU up takes seconds, and is not the model's doing
    import_what_it_imports(train_py)
    desk.say(here=True)
    if desk.hear() is None:
        return
    model = load_model(train_py, weights, device)
    sequence = getattr(model, "sequence", None)
    if sequence is not None and (not isinstance(sequence, int) or sequence < 1):
        raise Refusal(f"the model's attribute `sequence` is {sequence!r}, but must be a whole number above zero")
    desk.say(ready=True, sequence=sequence, parameters=sum(one.numel() for one in model.parameters()))
    while (words := desk.hear()) is not None:
        rows, columns = words["ask"]
        desk.say(answered=desk.answer(logits_of(model, desk.question((rows, columns), device))))


def main() -> int:
    desk = Desk(take_the_line())
    try:
        with contextlib.redirect_stdout(sys.stderr), torch.no_grad():
            converse(desk, Path(sys.argv[1]), Path(sys.argv[2]))
    except Refusal as refusal:
        print(refusal, file=sys.stderr)  # for people: the scorer passes nothing on that may hold what it asked
        desk.say(refused=str(refusal), **where(refusal.cause))
    sys.stderr.flush()
    os._exit(0)  # taking torch apart takes longer than answering


if __name__ == "__main__":
    sys.exit(main())
