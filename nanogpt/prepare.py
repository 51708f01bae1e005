"""The fixed side of training: batches of the train split, the budget's clock, live curves, saving. Not to be changed.

A lab has a copy beside train.py; runs whose copy differs from the installed one are invalid. The harness passes its
orders through the environment: AUTOLAB_PROFILE, AUTOLAB_RUN_DIR, AUTOLAB_SEED, AUTOLAB_BUDGET_SECONDS and
AUTOLAB_TRAIN_DATA. Without them (`python train.py` by hand) the profile is the machine's, the data is the cached one
and results go to ./.autolab/by-hand.

`python -m nanogpt.prepare --profile P [--cache DIR] [--check]` builds or checks the corpus (see corpora.py).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

T = TypeVar("T")

VOCABULARIES = {"cpu": 256, "gpu": 8192}
BUDGET_SECONDS = {"cpu": 15.0, "gpu": 300.0}
LOG_INTERVAL_SECONDS = 0.1


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def profile() -> str:
    """`cpu` or `gpu`."""
    given = os.environ.get("AUTOLAB_PROFILE")
    return given if given in VOCABULARIES else ("gpu" if _has_cuda() else "cpu")


def pick(cpu: T, gpu: T) -> T:
    """The value for this profile."""
    return gpu if profile() == "gpu" else cpu


VOCABULARY = VOCABULARIES[profile()]
"""Number of token ids: bytes on `cpu`, a trained BPE on `gpu`."""


def device() -> torch.device:
    import torch

    return torch.device("cuda" if profile() == "gpu" and torch.cuda.is_available() else "cpu")


def seed() -> int:
    return int(os.environ.get("AUTOLAB_SEED", "1"))


def set_seed() -> None:
    """Seed torch with the assigned seed; one thread on `cpu`, so that a slot is one core."""
    import torch

    torch.manual_seed(seed())
    if profile() == "cpu":
        torch.set_num_threads(1)
    else:
        torch.set_float32_matmul_precision("high")


def compiled(model: nn.Module) -> Callable[..., Tensor]:
    """The model as it is on the CPU; compiled on a GPU. The weights are shared."""
    import torch

    if device().type != "cuda":
        return model
    result: Callable[..., Tensor] = torch.compile(model, dynamic=False)
    return result


def precision() -> contextlib.AbstractContextManager[Any]:
    """bfloat16 autocast on a GPU, float32 on the CPU."""
    import torch

    if device().type != "cuda":
        return contextlib.nullcontext()
    return torch.autocast("cuda", dtype=torch.bfloat16)


def warm_up(one_pass: Callable[[], object], model: nn.Module, passes: int = 2) -> None:
    """Run forward and backward before the budget begins, so that compilation does not cost training time.

    Nothing is learnt: there is no optimiser step, and the gradients are dropped.
    """
    for _ in range(passes):
        with precision():
            one_pass()
    model.zero_grad(set_to_none=True)
    if device().type == "cuda":
        import torch

        torch.cuda.synchronize()


# Data


def train_directory() -> Path:
    """Where the train split lies."""
    given = os.environ.get("AUTOLAB_TRAIN_DATA")
    return Path(given) if given else cache_directory() / profile() / "train"


def cache_directory() -> Path:
    """$AUTOLAB_CACHE, else $XDG_CACHE_HOME/autolab, else ~/.cache/autolab."""
    if os.environ.get("AUTOLAB_CACHE"):
        return Path(os.environ["AUTOLAB_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "autolab"


def read_tokens(directory: Path) -> Any:
    """The token ids of a split as a memory-mapped numpy array [N] (uint8 or uint16)."""
    import numpy as np

    kind = np.uint8 if VOCABULARY <= 256 else np.uint16
    return np.memmap(directory / "tokens.bin", dtype=kind, mode="r")


def batches(batch: int, sequence: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless random windows of the train split: tokens[batch, sequence] and the tokens after each, int64."""
    import numpy as np
    import torch

    tokens = read_tokens(train_directory())
    if len(tokens) <= sequence + 1:
        raise ValueError(f"the train split has {len(tokens)} tokens, too few for a sequence of {sequence}")
    generator = np.random.default_rng(seed())
    while True:
        starts = generator.integers(0, len(tokens) - sequence - 1, size=batch)
        window = np.stack([tokens[start : start + sequence + 1] for start in starts]).astype(np.int64)
        whole = torch.from_numpy(window)
        if device.type == "cuda":
            whole = whole.pin_memory().to(device, non_blocking=True)
        yield whole[:, :-1].contiguous(), whole[:, 1:].contiguous()


# The run's own files


def run_directory() -> Path:
    directory = Path(os.environ.get("AUTOLAB_RUN_DIR", ".autolab/by-hand"))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _append(line: dict[str, object]) -> None:
    with (run_directory() / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


class Budget:
    """The clock of the run; it starts when it is made. CPU seconds of this process on `cpu`, wall seconds on `gpu`."""

    def __init__(self) -> None:
        global _running
        self.total = float(os.environ.get("AUTOLAB_BUDGET_SECONDS", BUDGET_SECONDS[profile()]))
        self._paused_file = run_directory() / "paused"
        self._start = self._now()
        _running = self
        _append({"event": "start"})

    def _now(self) -> float:
        if profile() == "cpu":
            return time.process_time()
        return time.monotonic() - self._paused()

    def _paused(self) -> float:
        """Wall seconds that the harness held this process; it keeps them in a file."""
        try:
            return float(struct.unpack("<d", self._paused_file.read_bytes())[0])
        except (OSError, struct.error):
            return 0.0

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return self._now() - self._start

    @property
    def progress(self) -> float:
        """The share of the budget that is used, 0..1."""
        return min(1.0, self.seconds / self.total)

    @property
    def expired(self) -> bool:
        return self.seconds >= self.total


_running: Budget | None = None
_last_logged = -math.inf


def log(step: int, loss: Tensor | float, **more: float) -> None:
    """Note a step for the live curve. Cheap: most calls return at once, without waiting for the GPU."""
    global _last_logged
    now = time.monotonic()
    if now - _last_logged < LOG_INTERVAL_SECONDS and step > 1:
        return
    _last_logged = now
    value = float(loss.detach() if hasattr(loss, "detach") else loss)
    line: dict[str, object] = {"step": step, "loss": value if math.isfinite(value) else str(value)}
    if _running is not None:
        line = {"step": step, "progress": _running.progress, "seconds": _running.seconds, "loss": line["loss"]}
    line.update({key: float(number) for key, number in more.items()})
    _append(line)
    if not math.isfinite(value):
        raise FloatingPointError(f"the loss is {value} at step {step}")


def save(model: nn.Module) -> None:
    """Keep the weights for the scorer, as plain tensors, complete or not at all."""
    import torch

    state = {
        name.removeprefix("_orig_mod."): tensor.detach().to("cpu").contiguous()
        for name, tensor in model.state_dict().items()
    }
    target = run_directory() / "weights.pt"
    temporary = target.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, target)
    _append({"event": "saved"})


if __name__ == "__main__":
    from nanogpt.corpora import main

    sys.exit(main())
