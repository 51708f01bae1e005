"""The fixed side of training: batches of the train split, the budget's clock, live curves, saving. Not to be changed.

A lab has a copy beside train.py; runs whose copy differs from the installed one are invalid. The harness passes its
orders through the environment (AUTOLAB_PROFILE, AUTOLAB_RUN_DIR, AUTOLAB_SEED, AUTOLAB_BUDGET_SECONDS) and sits at the
other end of standard input (AUTOLAB_HARNESS): it hands the train split out when the budget starts, by its own clock,
and takes the weights when they are saved. Without it (`python train.py` by hand) the profile is the machine's, the data
is the cached one and results go to ./.autolab/by-hand.

`python -m nanogpt.corpora --profile P [--cache DIR] [--check]` builds or checks the corpus (see corpora.py).
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import math
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    VOCABULARY: int
    """Number of token ids of the profile: bytes on `cpu`, a trained BPE on `gpu`."""

T = TypeVar("T")

VOCABULARIES = {"cpu": 256, "gpu": 8192}
BUDGET_SECONDS = {"cpu": 15.0, "gpu": 300.0}
LOG_INTERVAL_SECONDS = 0.1  # between points of the curve
PRINT_INTERVAL_SECONDS = 1.0  # between lines for people


# Profile


def profile() -> str:
    """`cpu` or `gpu`. Raises ValueError for another word in AUTOLAB_PROFILE."""
    given = os.environ.get("AUTOLAB_PROFILE")
    if given is None:
        import torch

        return "gpu" if torch.cuda.is_available() else "cpu"
    if given not in VOCABULARIES:
        raise ValueError(f"AUTOLAB_PROFILE is {given!r}, but must be one of: {', '.join(VOCABULARIES)}")
    return given


def pick(cpu: T, gpu: T) -> T:
    """The value for this profile."""
    return gpu if profile() == "gpu" else cpu


def __getattr__(name: str) -> Any:
    # Asked when needed, not at import: finding out the profile can mean importing torch, which takes seconds.
    if name == "VOCABULARY":
        return VOCABULARIES[profile()]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def device() -> torch.device:
    """The device to train on; the harness shows a run its own GPU only.

    Raises RuntimeError when torch cannot use it: a CPU in its place would be another experiment.
    """
    import torch

    if profile() == "gpu" and torch.cuda.is_available():
        return torch.device("cuda")
    if profile() == "gpu" and os.environ.get("CUDA_VISIBLE_DEVICES"):
        raise RuntimeError("torch cannot use the GPU of this run: see the warning above, and `autolab doctor`")
    return torch.device("cpu")


def seed() -> int:
    """The assigned seed."""
    return int(os.environ.get("AUTOLAB_SEED", "1"))


def set_seed() -> None:
    """Seed torch with the assigned seed; one thread on `cpu`, so that a slot is one core."""
    import torch

    torch.manual_seed(seed())
    if profile() == "cpu":
        torch.set_num_threads(1)
    else:
        torch.set_float32_matmul_precision("high")


# Compilation and precision


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

    Nothing is learnt: the batches hold random ids, there is no optimiser step, and the gradients are dropped.
    """
    global _warming_up
    _warming_up = True
    try:
        for _ in range(passes):
            with precision():
                one_pass()
    finally:
        _warming_up = False
    model.zero_grad(set_to_none=True)
    if device().type == "cuda":
        import torch

        torch.cuda.synchronize()


_warming_up = False


# The harness at the other end of standard input


def _take_the_line() -> socket.socket | None:
    """The connection to the harness; what reads standard input afterwards finds it empty."""
    if os.environ.get("AUTOLAB_HARNESS") != "stdin":
        return None
    line = socket.socket(fileno=os.dup(0))
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return line


_harness = _take_the_line()
_clock_runs = False
_split: int | None = None  # descriptor of the train split


def _start_clock() -> None:
    """From here on time counts; the harness notes it and hands out the train split."""
    global _clock_runs, _split, _began
    if _clock_runs:
        return
    charged = 0.0
    if _harness is not None:
        _harness.send(b"start")
        used, descriptors, _, _ = socket.recv_fds(_harness, 16, 1)
        if len(descriptors) != 1:
            raise RuntimeError("the harness has not handed out the train split")
        _split = descriptors[0]
        charged = float(used)  # seconds: on `cpu` a start-up that computes longer than the baseline's is paid for
    elif "AUTOLAB_RUN_DIR" not in os.environ:  # by hand, the last run's curve makes way
        (run_directory() / "metrics.jsonl").unlink(missing_ok=True)
    _clock_runs = True
    _began = _now() - charged
    _append({"event": "start"})


def _train_split() -> int:
    assert _split is not None  # the clock runs
    return _split


def _now() -> float:
    return time.process_time() if profile() == "cpu" else time.monotonic() - _paused_seconds()


def _paused_seconds() -> float:
    """Wall seconds that the harness held this process; it keeps them in a file."""
    try:
        return float(struct.unpack("<d", (run_directory() / "paused").read_bytes())[0])
    except (OSError, struct.error):
        return 0.0


_began = 0.0


# Batches


def cache_directory() -> Path:
    """$AUTOLAB_CACHE, else $XDG_CACHE_HOME/autolab, else ~/.cache/autolab."""
    if os.environ.get("AUTOLAB_CACHE"):
        return Path(os.environ["AUTOLAB_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "autolab"


def train_directory() -> Path:
    """Where the train split lies when no harness hands it out."""
    given = os.environ.get("AUTOLAB_TRAIN_DATA")
    return Path(given) if given else cache_directory() / profile() / "train"


def train_tokens() -> Any:
    """The token ids of the train split as a memory-mapped numpy array [N] (uint8 or uint16).

    In a run the split opens with the budget: asking for it earlier starts the clock. Raises FileNotFoundError.
    """
    import numpy as np

    kind = np.uint8 if VOCABULARIES[profile()] <= 256 else np.uint16
    _start_clock()
    if _harness is not None:
        with os.fdopen(os.dup(_train_split()), "rb") as file:
            return np.memmap(file, dtype=kind, mode="r")
    path = train_directory() / "tokens.bin"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: build it with `python -m nanogpt.corpora --profile {profile()}`")
    return np.memmap(path, dtype=kind, mode="r")


def batches(batch: int, sequence: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless random windows of the train split: tokens[batch, sequence] and the tokens after each, int64.

    The seed decides the windows. During `warm_up` they hold random ids, for the split opens with the budget; asking for
    one earlier starts the clock. Raises ValueError when the split is shorter than a window.
    """
    import numpy as np
    import torch

    rehearsal = np.random.default_rng(0)
    generator = np.random.default_rng(seed())
    tokens: Any = None
    while True:
        if _warming_up and tokens is None:
            window = rehearsal.integers(0, VOCABULARIES[profile()], size=(batch, sequence + 1))
        else:
            if tokens is None:
                tokens = train_tokens()
                if len(tokens) <= sequence + 1:
                    sentence = f"the train split has {len(tokens)} tokens, too few for a sequence of {sequence}"
                    raise ValueError(sentence)
            starts = generator.integers(0, len(tokens) - sequence, size=batch)
            window = np.stack([tokens[start : start + sequence + 1] for start in starts])
        whole = torch.from_numpy(window.astype(np.int64))
        if device.type == "cuda":
            whole = whole.pin_memory().to(device, non_blocking=True)
        yield whole[:, :-1].contiguous(), whole[:, 1:].contiguous()


# The budget's clock


class Budget:
    """The clock of the run; it starts when it is made. CPU seconds of this process on `cpu`, wall seconds on `gpu`.

    It has started earlier when the train split was asked for before.
    """

    def __init__(self) -> None:
        global _running
        self.total = float(os.environ.get("AUTOLAB_BUDGET_SECONDS", BUDGET_SECONDS[profile()]))
        _start_clock()
        _running = self

    @property
    def seconds(self) -> float:
        """Seconds of training so far."""
        return _now() - _began

    @property
    def progress(self) -> float:
        """The share of the budget that is used, 0..1."""
        return min(1.0, self.seconds / self.total)

    @property
    def expired(self) -> bool:
        return self.seconds >= self.total


_running: Budget | None = None


# The run's own files: the live curve and the weights


def run_directory() -> Path:
    """Where the run writes; made when it is not there."""
    directory = Path(os.environ.get("AUTOLAB_RUN_DIR", ".autolab/by-hand"))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _append(line: dict[str, object]) -> None:
    with (run_directory() / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


_unwritten: tuple[dict[str, object], Tensor | float] | None = None  # the last step, kept until it is written or passed
_last_written = _last_printed = -math.inf


def log(step: int, loss: Tensor | float, **more: float) -> None:
    """Note a step for the live curve, and now and then a line for people.

    Cheap: most calls return without waiting for the GPU. The first and the last step are always written. Raises
    FloatingPointError when a step that is written has a loss that is not finite.
    """
    global _unwritten
    line: dict[str, object] = {"step": step, "loss": None}
    if _running is not None:
        line = {"step": step, "progress": _running.progress, "seconds": _running.seconds, "loss": None}
    line.update({key: float(number) for key, number in more.items()})
    _unwritten = line, loss if isinstance(loss, float | int) else loss.detach()
    if time.monotonic() - _last_written >= LOG_INTERVAL_SECONDS:
        _write_step()


def _write_step(last: bool = False) -> None:
    global _unwritten, _last_written, _last_printed
    if _unwritten is None:
        return
    line, loss = _unwritten
    value = float(loss)
    _unwritten, _last_written = None, time.monotonic()
    _append({**line, "loss": value if math.isfinite(value) else str(value)})
    if last or _last_written - _last_printed >= PRINT_INTERVAL_SECONDS:
        _last_printed = _last_written
        share = f"  {line['progress']:4.0%} of the budget" if "progress" in line else ""
        print(f"step {line['step']:>6}  loss {value:.4f}{share}", flush=True)
    if not math.isfinite(value):
        raise FloatingPointError(f"the loss is {value} at step {line['step']}")


def save(model: nn.Module) -> None:
    """Keep the weights for the scorer, as plain tensors, complete or not at all. The last ones count.

    Raises RuntimeError when the harness does not take them, as after the end of the budget.
    """
    import torch

    _write_step(last=True)
    state = {
        name.replace("_orig_mod.", ""): tensor.detach().to("cpu").contiguous()
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
    if _harness is not None:
        _harness.send(b"saved")
        answer = _harness.recv(1024).decode()
        if answer != "kept":
            raise RuntimeError(f"the harness does not take the weights: {answer or 'it is gone'}")


def _leave_quickly() -> None:
    """Taking torch apart object by object costs a second at the end of the process, and nothing needs it."""
    gc.freeze()
    gc.disable()


atexit.register(_leave_quickly)
