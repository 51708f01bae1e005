"""The supervisor's end of the line to a trainer: the train split goes out when the budget starts, the weights come in.

The trainer says `start` and gets a descriptor of the train split; before that it cannot see the data, so nothing can be
learnt outside the budget, and the budget is counted by the supervisor's clock. It says `saved`, and the weights are
copied at once to where it cannot reach: what it does to its own file later changes nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

from orchestrator.runs.family import standing_still
from orchestrator.runs.files import open_plain
from orchestrator.runs.read_only import open_read_only
from orchestrator.runs.result import Cut, Outcome

LONGEST_MESSAGE = 64
BLOCK = 2**20


class Handover:
    """One trainer's line. `close` it when the trainer has ended."""

    def __init__(self, train_data: Path, weights: Path, kept: Path, most_bytes: int, free_bytes: int) -> None:
        """`train_data` is the file handed out, `weights` where the trainer saves, `kept` where they are kept.

        They may be `most_bytes` large, and `free_bytes` of the disk have to stay free. Raises OSError when the train
        split cannot be opened.
        """
        self._split = open_read_only(train_data)
        self._weights = weights
        self._kept = kept
        self._most_bytes = most_bytes
        self._free_bytes = free_bytes
        self._near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._near.setblocking(False)
        self._open = True

    def sources(self) -> list[int]:
        """Descriptors to wait for."""
        return [self._near.fileno()] if self._open else []

    def serve(self, started: Callable[[], float], saved: Callable[[], None]) -> None:
        """Answer the next thing that the trainer has said. Each callback runs before its answer, and may raise.

        One at a time: between two answers the caller looks at the clock, or a flood of them would hold it still.
        `started` returns the seconds that the budget has already when it starts. Raises Cut for what prepare.py does
        not say.
        """
        message = self._receive() if self._open else None
        if message == b"start":
            self._hand_out(started())
        elif message == b"saved":
            saved()
            with standing_still():  # or it would go on with the file while that is copied
                answer = take_weights(self._weights, self._kept, self._most_bytes, self._free_bytes)
            self._answer(answer or "kept")
        elif message is not None:
            raise Cut(Outcome.INVALID, "train.py speaks on the line between prepare.py and the harness")

    def close(self) -> None:
        self._open = False
        self._near.close()
        self.far.close()
        os.close(self._split)

    def _receive(self) -> bytes | None:
        try:
            message = self._near.recv(LONGEST_MESSAGE)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            message = b""
        if not message:
            self._open = False
            return None
        return message

    def _hand_out(self, charged: float) -> None:
        with contextlib.suppress(OSError):
            socket.send_fds(self._near, [f"{charged:.3f}".encode()], [self._split])

    def _answer(self, words: str) -> None:
        with contextlib.suppress(OSError):  # it has ended, or does not listen
            self._near.send(words.encode()[:LONGEST_MESSAGE])


def take_weights(saved: Path, kept: Path, most_bytes: int, free_bytes: int) -> str | None:
    """Copy what a trainer has saved to where it cannot reach; why that cannot be done, or None."""
    temporary = kept.with_suffix(".new")
    try:
        with open_plain(saved) as (source, size):
            if size > most_bytes:
                return f"they are larger than {most_bytes // 2**20} MiB"
            disk = os.statvfs(kept.parent)
            if disk.f_bavail * disk.f_frsize < size + free_bytes:  # a file with holes takes more when copied
                return "the disk is nearly full"
            with temporary.open("wb") as target:
                offset = 0
                while offset < size and (sent := os.sendfile(target.fileno(), source, offset, BLOCK)):
                    offset += sent
        os.replace(temporary, kept)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        return f"{error.strerror}"
    return None
