"""The scorer's side of the conversation with answer.py: a child process that is asked, timed and never believed."""

from __future__ import annotations

import builtins
import ctypes
import fcntl
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from nanogpt.cores import cores_for
from nanogpt.received import NotFinite, Received

TOKEN_BYTES = 8
LOGIT_BYTES = 4
TICKS = os.sysconf("SC_CLK_TCK")
LONGEST_SENTENCE = 500
READ_BYTES = 2**16
CHILD_SUBREAPER = 36
LEAVING_SECONDS = 0.5
"""One that is killed in a sandbox takes the account of its CPU time with it."""
USUAL_TIMES = 1.5
"""The first answer may take so many times as long as the others usually do."""

INTERFERED = "the process that runs the model does not keep to the conversation: train.py interfered"

Tokens = npt.NDArray[np.int64]
Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class Refusal(Exception):
    """The result is not accepted; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows asked at once; those from `count` on only fill it up, so that every question has the same shape."""

    all: npt.NDArray[np.int64]
    count: int


class Answerer:
    """One process of answer.py; a context manager that leaves no process behind.

    It starts when it is made, and no line of train.py runs in it before `load`. Raises Refusal when the model cannot be
    loaded, or answers with something that is no logits.
    """

    def __init__(self, command: list[str], profile: str, most_tokens: int, vocabulary: int, loading: float) -> None:
        """At most `most_tokens` are asked at once; `loading` seconds are allowed for loading the model."""
        self._cpu = profile == "cpu"
        self._most_tokens = most_tokens
        self._vocabulary = vocabulary
        self._times: list[float] = []
        self._loading = loading
        offset = most_tokens * TOKEN_BYTES
        size = offset + most_tokens * vocabulary * LOGIT_BYTES
        memory = os.memfd_create("questions", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(memory, size)
        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        self._shared = mmap.mmap(memory, size)
        self.cores = cores_for(profile)
        self._received = Received(memoryview(self._shared)[offset:], most_tokens, vocabulary, self.cores)
        self._line, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        environment = {**os.environ, "AUTOLAB_PROFILE": profile}
        # A pipe of its own: what one does to a pipe (its size, its owner, a lock on it) the other could find out.
        printed, printing = os.pipe()
        self._process = subprocess.Popen(command, stdin=far.fileno(), stdout=printing, stderr=printing, env=environment)
        _LIVING.add(self._process.pid)
        far.close()
        os.close(printing)
        self._passing_on = threading.Thread(target=_pass_on, args=(printed,), daemon=True)
        self._passing_on.start()
        words = {"tokens_bytes": offset, "bytes": size}
        with suppress(OSError):  # it has ended already: `load` says so
            socket.send_fds(self._line, [json.dumps(words).encode()], [memory])
        os.close(memory)
        self._asked_at = 0.0
        self.sequence: int | None = None
        self.parameters = 0
        self.loading_seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def load(self) -> None:
        """Import train.py, build the model, load the weights."""
        self._hear("here")
        begin = self._seconds()
        self._say({"go": True})
        words = self._hear("ready")
        self.loading_seconds = self._seconds() - begin
        if self.loading_seconds > self._loading:
            raise Refusal(
                f"loading the model took {self.loading_seconds:.1f} s, more than {self._loading:g} s:"
                " what it needs must be in its weights"
            )
        sequence, parameters = words.get("sequence"), words.get("parameters")
        self.sequence = sequence if isinstance(sequence, int) and sequence > 0 else None
        self.parameters = parameters if isinstance(parameters, int) and 0 <= parameters < 2**53 else 0

    def end(self) -> None:
        """Nothing of it is left; may be called again."""
        self._line.close()  # it leaves when nobody asks any more
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(LEAVING_SECONDS)
        self._process.kill()
        self._process.wait()
        _LIVING.discard(self._process.pid)
        _end_orphans()
        self._passing_on.join(LEAVING_SECONDS)  # one without a sandbox may have left a child that holds it open

    @property
    def answering_seconds(self) -> float:
        return sum(self._times)

    def batches(self, order: npt.NDArray[np.int64], length: int) -> Iterator[Batch]:
        """The rows of `order` in batches of one shape, for questions of `length` tokens each."""
        size = self.batch_size(length)
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            yield Batch(np.resize(rows, size), len(rows))

    def batch_size(self, length: int) -> int:
        return max(1, self._most_tokens // length)

    def answers(self, questions: Iterable[Tokens]) -> Iterator[Floats]:
        """logits [B, T, V] for each of the tokens [B, T]: a copy, which the other side cannot change while it is worked
        on, valid until the next. On a GPU the model works on the next question meanwhile.
        """
        waiting = iter(questions)
        tokens = next(waiting, None)
        if tokens is not None:
            self._put(tokens)
        while tokens is not None:
            kind = self._answered(tokens)
            logits = self._checked(self._received.all, kind, tokens.size)
            logits = logits.reshape(*tokens.shape, self._vocabulary)
            tokens = next(waiting, None)
            if self._cpu:
                yield logits
            if tokens is not None:
                self._put(tokens)
            if not self._cpu:
                yield logits

    def answers_at(self, tokens: Tokens, positions: Ids) -> Floats:
        """logits [N, V] at some of the B * T positions, counted row by row, of tokens [B, T]."""
        self._put(tokens)
        kind = self._answered(tokens)
        return self._checked(self._received.some, kind, tokens.size, positions)

    def _put(self, tokens: Tokens) -> None:
        np.frombuffer(self._shared, dtype=np.int64, count=tokens.size)[:] = tokens.reshape(-1)
        self._asked_at = self._seconds()
        self._say({"ask": list(tokens.shape)})

    def _answered(self, tokens: Tokens) -> str:
        """The type of the logits that lie in the shared memory now."""
        kind = self._hear("answered", shown=tokens.shape)["answered"]
        self._times.append(self._seconds() - self._asked_at)
        return str(kind)

    def _checked(self, read: Callable[..., Floats], *words: object) -> Floats:
        try:
            return read(*words)
        except NotFinite:
            raise Refusal("the model's logits are not finite") from None
        except KeyError:
            raise Refusal(INTERFERED) from None

    def check_time(self, first: float, answering: float) -> None:
        """Raises Refusal when answering took longer than answering takes."""
        usual = sorted(self._times)[len(self._times) // 2]
        if self._times[0] > first + USUAL_TIMES * usual:
            raise Refusal(
                f"the model computed {self._times[0]:.1f} s before its first answer, where one usually takes"
                f" {usual:.2f} s: what it needs must be in its weights"
            )
        if self.answering_seconds > answering:
            raise Refusal(f"the model took more than {answering:g} s to answer")

    # -- the conversation

    def _say(self, words: dict[str, Any]) -> None:
        try:
            self._line.send(json.dumps(words).encode())
        except OSError as error:
            raise self._gone() from error

    def _hear(self, due: str, shown: tuple[int, ...] | None = None) -> dict[str, Any]:
        """`shown`: the shape of the tokens that it has just been shown. From then on its own words stay here: they
        could carry the text that is scored to whoever reads the refusal, and an agent does."""
        try:
            message = self._line.recv(2**16)
        except OSError as error:
            raise self._gone() from error
        if not message:
            raise self._gone()
        try:
            words = json.loads(message)
        except (ValueError, RecursionError):
            words = None
        if isinstance(words, dict) and isinstance(words.get("refused"), str):
            raise Refusal(words["refused"][:LONGEST_SENTENCE] if shown is None else self._failing(words, shown))
        if not isinstance(words, dict) or due not in words:
            raise Refusal(INTERFERED)
        return words

    def _failing(self, words: dict[str, Any], shown: tuple[int, ...]) -> str:
        """A model that failed on tokens, told in a few bits: the kind of error if Python has it, and where."""
        error, line = words.get("error"), words.get("line")
        kind = getattr(builtins, error, None) if isinstance(error, str) else None
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            return f"the model answers something else where logits {(*shown, self._vocabulary)} are due; see the log"
        place = f", train.py line {line}" if isinstance(line, int) and 0 < line < 10_000 else ""
        return f"the model fails on tokens of shape {shown} ({kind.__name__}{place}); see the log"

    def _gone(self) -> Refusal:
        code = self._process.wait()
        return Refusal(f"the process that runs the model ended in the middle (exit status {code})")

    # -- its time

    def _seconds(self) -> float:
        """CPU seconds of the process and all below it; wall seconds where a GPU does the work."""
        if not self._cpu:
            return time.monotonic()
        return sum(_cpu_seconds(pid) for pid in (self._process.pid, *_orphans()))


# -- what left its parents: without a sandbox of its own name space it comes to this process


_LIVING: set[int] = set()
"""The processes of answerers that have not ended."""
_adopting = False


def adopt_orphans() -> None:
    """From here on, what is below this process stays there when its parents end; it has no children but answerers."""
    global _adopting
    _adopting = ctypes.CDLL(None).prctl(CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def _orphans() -> list[int]:
    """Children of this process that it did not start; one that is dead is among them until it is buried."""
    found: set[int] = set()
    with suppress(OSError):
        if not _adopting:
            return []
        for task in os.listdir("/proc/self/task"):
            found |= {int(child) for child in Path(f"/proc/self/task/{task}/children").read_bytes().split()}
    return sorted(found - _LIVING)


def _end_orphans() -> None:
    """Kill and bury them, and whom their end leaves behind."""
    while orphans := _orphans():
        for pid in orphans:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                os.waitpid(pid, 0)


def _pass_on(printed: int) -> None:
    """Whatever is printed there, to where this process prints."""
    with open(printed, "rb", buffering=0) as source, suppress(OSError):
        while text := source.read(READ_BYTES):
            sys.stderr.buffer.write(text)
            sys.stderr.buffer.flush()


def _cpu_seconds(pid: int) -> float:
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        with suppress(OSError, ValueError):
            content = Path(f"/proc/{one}/stat").read_bytes()
            total += sum(int(field) for field in content[content.rindex(b")") + 2 :].split()[11:15])
            for task in os.listdir(f"/proc/{one}/task"):
                waiting += [int(child) for child in Path(f"/proc/{one}/task/{task}/children").read_bytes().split()]
    return total / TICKS
