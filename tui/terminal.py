"""The way out to the terminal and back: never blocks the room, asks after each frame, and leaves everything clean."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Protocol, cast

from textual.drivers.linux_driver import LinuxDriver
from textual.events import CursorPosition
from textual.message import Message

from tui.ascii import ascii_only

ASK = "\x1b[6n"
"""Where does the cursor stand: the one question that every terminal, tmux and screen answers."""

CLEAR = "\x1b[H\x1b[2J"
"""Before the way back: GNU screen has no second screen unless it is told to; the room would stay under the shell."""

LAST_WORDS_SECONDS = 1.0


class Listener(Protocol):
    """What the terminal tells the app; called in the app's loop."""

    ascii_only: bool

    def frame_written(self, size: int) -> None: ...
    def frame_taken(self) -> None: ...
    def output_drained(self) -> None: ...
    def line_dropped(self) -> None: ...
    def back_again(self) -> None: ...
    def screen_lost(self) -> None: ...


class Output(threading.Thread):
    """Writes in its own thread, so that a terminal which has stopped reading stops nothing else."""

    def __init__(self, descriptor: int, drained: Callable[[], None], dropped: Callable[[], None]) -> None:
        super().__init__(name="output", daemon=True)
        self._descriptor = descriptor
        self._drained, self._dropped = drained, dropped
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self.gone = False  # nobody is at the other end any more

    def put(self, text: str) -> None:
        self._queue.put(text.encode("utf-8", errors="replace"))

    def forget(self) -> None:
        """Drop what has not been begun: the terminal is being left."""
        with contextlib.suppress(Empty):
            while True:
                self._queue.get_nowait()

    def run(self) -> None:
        while (piece := self._queue.get()) is not None:
            with contextlib.suppress(Empty):  # what has gathered goes in one write
                while self._queue.qsize() and len(piece) < 65536:
                    more = self._queue.get_nowait()
                    if more is None:
                        self._write(piece)
                        return
                    piece += more
            self._write(piece)
            if self._queue.empty():
                self._drained()

    def _write(self, piece: bytes) -> None:
        while piece and not self.gone:
            try:
                piece = piece[os.write(self._descriptor, piece) :]
            except InterruptedError:
                continue
            except OSError:
                self.gone = True
                self._dropped()

    def end(self, patience: float) -> None:
        """Write what is left, within `patience` seconds."""
        self._queue.put(None)
        self.join(patience)


class Terminal(LinuxDriver):
    """Textual's driver with an output of our own and an end to every frame."""

    _output: Output | None = None
    _asks = False
    _unasked = 0  # bytes since the last question
    _answered = threading.Event()
    _open_questions = 0

    @property
    def _listener(self) -> Listener:
        return cast(Listener, self._app)

    def _tell(self, what: Callable[[], None]) -> None:
        """From a thread to the app's loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(what)

    # -- out

    def write(self, data: str) -> None:
        if self._output is not None:
            if self._listener.ascii_only:
                data = ascii_only(data)
            self._unasked += len(data)
            self._output.put(data)

    def flush(self) -> None:
        """The end of a frame: ask whether the terminal has it."""
        if not self._asks or not self._unasked:
            return
        size, self._unasked = self._unasked, 0
        self.ask()
        self._listener.frame_written(size)

    def ask(self) -> None:
        if self._output is not None and self._asks:
            self._open_questions += 1
            self._answered.clear()
            self._output.put(ASK)

    # -- back

    def process_message(self, message: Message) -> None:
        if isinstance(message, CursorPosition):
            self._open_questions = max(0, self._open_questions - 1)
            if not self._open_questions:
                self._answered.set()
            self._tell(self._listener.frame_taken)
            return
        super().process_message(message)

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except OSError:  # the terminal is gone
            self._tell(self._listener.line_dropped)

    # -- coming and going

    def start_application_mode(self) -> None:
        listener = self._listener
        assert self._file is not None
        self._output = Output(
            self._file.fileno(),
            lambda: self._tell(listener.output_drained),
            lambda: self._tell(listener.line_dropped),
        )
        listener.screen_lost()
        self._output.start()
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._unasked, self._open_questions, self._asks = 0, 0, True

    def stop_application_mode(self) -> None:
        output = self._output
        if output is None:
            return
        self._asks = False
        output.forget()
        if self._open_questions and not output.gone:
            self._answered.wait(LAST_WORDS_SECONDS)  # an answer that comes later would be typed into the shell
        output.put(CLEAR)
        super().stop_application_mode()

    def close(self) -> None:
        output, self._output = self._output, None
        if output is not None:
            output.end(0.0 if output.gone else LAST_WORDS_SECONDS)
        super().close()

    def _sigcont_application(self, *_: object) -> None:
        if not self._auto_restart:
            return
        if self._output is None:
            self.resume_application_mode()
        asyncio.get_running_loop().call_soon(self._listener.back_again)


def takes_mouse(environment: Mapping[str, str]) -> bool:
    """Whether the terminal may tell of the mouse: GNU screen then keeps a lone escape until the next key."""
    return "STY" not in environment or environment.get("TERM", "").startswith("tmux")


def stopped_by() -> tuple[signal.Signals, ...]:
    """The signals that end the room and leave the lab at work: the line drops, the machine goes down."""
    return signal.SIGHUP, signal.SIGTERM


def now() -> float:
    return time.monotonic()
