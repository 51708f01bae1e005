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

from orchestrator.runs.files import open_plain

LONGEST_MESSAGE = 64
BLOCK = 2**20


class Handover:
    """One trainer's line. `close` it when the trainer has ended."""

    def __init__(self, train_data: Path, weights: Path, kept: Path, most_bytes: int) -> None:
        """`train_data` is the file handed out, `weights` where the trainer saves, `kept` where they are kept."""
        self._train_data = train_data
        self._weights = weights
        self._kept = kept
        self._most_bytes = most_bytes
        self._near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._near.setblocking(False)
        self._open = True

    def sources(self) -> list[int]:
        """Descriptors to wait for."""
        return [self._near.fileno()] if self._open else []

    def serve(self, started: Callable[[], None], saved: Callable[[], None]) -> None:
        """Answer what the trainer has said. Each callback runs before its answer goes out, and may raise.

        Raises OSError when the train split cannot be opened.
        """
        while self._open and (message := self._receive()) is not None:
            if message == b"start":
                started()
                self._hand_out()
            elif message == b"saved":
                saved()
                self._answer(take_weights(self._weights, self._kept, self._most_bytes) or "kept")
            else:
                self._answer("what the harness does not understand")

    def close(self) -> None:
        self._open = False
        self._near.close()
        self.far.close()

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

    def _hand_out(self) -> None:
        with self._train_data.open("rb") as file, contextlib.suppress(OSError):
            socket.send_fds(self._near, [b"go"], [file.fileno()])

    def _answer(self, words: str) -> None:
        with contextlib.suppress(OSError):  # it has ended, or does not listen
            self._near.send(words.encode()[:LONGEST_MESSAGE])


def take_weights(saved: Path, kept: Path, most_bytes: int) -> str | None:
    """Copy what a trainer has saved to where it cannot reach; why that cannot be done, or None."""
    temporary = kept.with_suffix(".new")
    try:
        with open_plain(saved) as (source, size):
            if size > most_bytes:
                return f"they are larger than {most_bytes // 2**20} MiB"
            with temporary.open("wb") as target:
                offset = 0
                while offset < size and (sent := os.sendfile(target.fileno(), source, offset, BLOCK)):
                    offset += sent
        os.replace(temporary, kept)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        return f"{error.strerror}"
    return None
