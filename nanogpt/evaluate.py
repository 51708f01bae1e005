"""The trusted scorer: asks a model for logits and computes the bits per byte itself.

    python -m nanogpt.evaluate --train-py FILE --weights FILE --data DIR --profile P --result FILE [--answerer JSON]

The score is the sum of -log2 p(token | tokens before it in its window) over a fixed set of targets of the split, in
float32, divided by the bytes of text that those targets stand for. The windows are the same for every model. A model
that takes fewer tokens at once (its attribute `sequence`) gets each window in pieces: it predicts the same targets,
each exactly once, with less to look back on.

The model's code never runs here. It runs in processes of answer.py, in a sandbox where `--answerer` says so (a command
line as a JSON list), and they see tokens, never a result:

    scorer                         answerer
    (shared memory) ------------>
                    <------------  here        its libraries are loaded; the clock starts
    go              ------------>
                    <------------  ready       the weights are in the model
    ask [B, T]      ------------>              B * T tokens in the shared memory, int64
                    <------------  answered    B * T * V logits behind them

A first answerer gets all windows, in an order nobody knows before. A second one, which gets the model when the first is
gone, is asked some of them with another continuation from a random place on, in another order. Where the past is the
same the answers must be: a model that looks ahead, remembers what it was asked or learns from it cannot know which
answers are compared.

Writes the score, or `{"refused": sentence}`; both exit with 0.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nanogpt import prepare
from nanogpt.answerer import Answerer, Refusal, adopt_orphans
from nanogpt.comparison import Comparison
from nanogpt.likelihood import log_likelihoods

CONTEXT = {"cpu": 128, "gpu": 2048}  # targets a window
TARGETS = {"cpu": 2**17, "gpu": 2**20}  # targets at most
TOKENS_AT_ONCE = {"cpu": 2**13, "gpu": 2**14}
COMPARED = {"cpu": 512, "gpu": 192}  # questions to the second answerer

Ids = npt.NDArray[np.integer]
Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Allowance:
    """Seconds of an answerer, of CPU time on `cpu` and by the wall clock on `gpu`."""

    loading: float  # train.py imported, the model built, the weights loaded
    first: float  # the first answer, beyond one and a half times what an answer usually takes
    answering: float  # all answers


ALLOWANCE = {"cpu": Allowance(1.5, 1.0, 15.0), "gpu": Allowance(15.0, 60.0, 600.0)}
"""On a GPU a model may compile itself at its first answer. On the CPU answering may cost as much as training did:
a model that has seen that many tokens forwards and backwards in 15 s answers them in less."""


@dataclass(frozen=True, slots=True)
class Score:
    val_bpb: float
    tokens: int
    bytes: int
    seconds: float
    parameters: int
    loading_seconds: float
    answering_seconds: float


def answer_command(train_py: Path, weights: Path) -> list[str]:
    """An answerer without a sandbox."""
    return [sys.executable, "-u", str(Path(__file__).with_name("answer.py")), str(train_py), str(weights)]


# The split


def read_split(directory: Path, profile: str) -> Ids:
    """The token ids of a split as a memory-mapped array [N]. Raises FileNotFoundError."""
    kind = np.uint8 if prepare.VOCABULARIES[profile] <= 256 else np.uint16
    return np.memmap(directory / "tokens.bin", dtype=kind, mode="r")


def windows_of(tokens: Ids, context: int, targets: int) -> Tokens:
    """Windows [N, context + 1], evenly spread, none overlapping another's targets, N * context <= `targets`."""
    count = min(targets // context, (len(tokens) - 1) // context)
    if count < 1:
        raise ValueError(f"the split has {len(tokens)} tokens, too few for a window of {context + 1}")
    starts = np.linspace(0, len(tokens) - context - 1, count).astype(np.int64)
    return np.stack([tokens[start : start + context + 1] for start in starts]).astype(np.int64)


def pieces_of(windows: Tokens, sequence: int) -> list[Tokens]:
    """The windows [N, context + 1] in pieces [M, length + 1] of at most `sequence` targets; every target once."""
    whole = (windows.shape[1] - 1) // sequence
    last = windows[:, whole * sequence :]
    pieces = []
    if whole:
        cuts = [windows[:, i * sequence : (i + 1) * sequence + 1] for i in range(whole)]
        pieces.append(np.concatenate(cuts))
    if last.shape[1] > 1:
        pieces.append(last)
    return pieces


def token_bytes(directory: Path, profile: str) -> npt.NDArray[np.int64]:
    """How many bytes of text each token id stands for [V]."""
    if profile == "cpu":
        return np.ones(prepare.VOCABULARIES["cpu"], dtype=np.int64)
    return np.fromfile(directory / "token_bytes.bin", dtype=np.uint16).astype(np.int64)


# The score


def score(answerer: list[str], directory: Path, profile: str) -> Score:
    """Bits per byte of a model on the split in `directory`. Raises Refusal."""
    begin = time.monotonic()
    windows = windows_of(read_split(directory, profile), CONTEXT[profile], TARGETS[profile])
    random = np.random.default_rng(int.from_bytes(os.urandom(16), "little"))  # nobody can tell what is compared
    most, vocabulary, allowance = TOKENS_AT_ONCE[profile], prepare.VOCABULARIES[profile], ALLOWANCE[profile]
    with contextlib.ExitStack() as stack:

        def started() -> Answerer:
            return stack.enter_context(Answerer(answerer, profile, most, vocabulary, allowance.loading))

        first = started()
        # Loading torch and waking a GPU up takes seconds; a slot that is one core has nothing to do it with meanwhile.
        ahead = started() if profile == "gpu" else None
        first.load()
        pieces = pieces_of(windows, min(first.sequence or CONTEXT[profile], CONTEXT[profile]))
        # Of each length: a model that could tell an unchecked length would look ahead there alone.
        comparisons = [Comparison(group, profile, COMPARED[profile] // len(pieces), random) for group in pieces]
        nats = sum(_nats(first, group, noting, random) for group, noting in zip(pieces, comparisons, strict=True))
        first.check_time(allowance.first, allowance.answering)
        first.end()  # before the model runs again: the two cannot talk to each other
        second = ahead or started()
        second.load()
        for comparison in comparisons:
            comparison.check(second, random)
        second.check_time(allowance.first, allowance.answering)
    targets = windows[:, 1:]
    total_bytes = int(token_bytes(directory, profile)[targets].sum())
    return Score(
        val_bpb=nats / math.log(2) / total_bytes,
        tokens=targets.size,
        bytes=total_bytes,
        seconds=time.monotonic() - begin,
        parameters=first.parameters,
        loading_seconds=max(first.loading_seconds, second.loading_seconds),
        answering_seconds=first.answering_seconds,
    )


def _nats(answerer: Answerer, pieces: Tokens, comparison: Comparison, random: np.random.Generator) -> float:
    """The summed cross entropy of pieces [M, length + 1], asked in random order; notes what is compared later."""
    total = 0.0
    batches = list(answerer.batches(random.permutation(len(pieces)), pieces.shape[1] - 1))
    for rows, logits in zip(batches, answerer.answers(pieces[rows.all, :-1] for rows in batches), strict=True):
        likelihoods = log_likelihoods(logits, pieces[rows.all, 1:], answerer.cores)
        total -= float(likelihoods[: rows.count].sum(dtype=np.float64))
        comparison.note(rows.all[: rows.count], logits)
    return total


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
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--answerer", type=json.loads, help="command line of answer.py as a JSON list, in a sandbox")
    words = parser.parse_args(arguments)
    words.result.unlink(missing_ok=True)  # whatever lies there, this scorer did not write it
    answerer = words.answerer or answer_command(words.train_py, words.weights)
    try:
        result: dict[str, object] = asdict(score(answerer, words.data, words.profile))
    except Refusal as refusal:
        result = {"refused": str(refusal)}
    write_result(words.result, result)
    return 0


if __name__ == "__main__":
    adopt_orphans()
    sys.exit(main())
