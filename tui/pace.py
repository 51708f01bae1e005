"""When the next frame may be painted: pure reckoning from what was written and what the terminal has answered.

Every frame ends with a question to the terminal (where does the cursor stand). Its answer says that the frame has been
taken, whatever lies between: a pty, sshd's buffers, a thin line. So what streams by itself is painted only when
nothing is under way, and never takes more than a quarter of the line; what answers a key may be painted while no more
is under way than the line carries in an eighth of a second. A terminal that never answers is judged by what the kernel
has taken of it.
"""

from __future__ import annotations

from collections import deque

REST_SECONDS = 0.2
SSH_REST_SECONDS = 0.5
"""The least between two frames that no key has asked for."""

TOUCHED_SECONDS = 0.3  # frames this soon after a key are the answer to it
WINDOW_SECONDS = 0.125
LEAST_WINDOW, FIRST_WINDOW = 1500, 65536  # bytes
STREAM_SHARE = 0.25  # of the line, for what no key has asked for
LONGEST_REST_SECONDS = 1.5
TELLING_BYTES = 2000  # a smaller frame tells of the machine's own delays, not of the line's rate
PATIENCE_SECONDS = 3.0  # for an answer


class Pace:
    """Times are seconds of one monotonic clock, sizes are bytes."""

    def __init__(self, rest: float = REST_SECONDS) -> None:
        self._rest = rest
        self._underway: deque[tuple[float, int]] = deque()  # frames not answered yet: (painted at, bytes)
        self._bytes = 0  # of them
        self._touched_until = 0.0
        self._next_stream = 0.0
        self._rate: float | None = None  # bytes a second; None: no line so far that could be felt
        self._quickest = float("inf")  # the shortest time to an answer: the line's delay
        self.answers = False  # whether the terminal has ever answered

    @property
    def underway(self) -> int:
        """Bytes that the terminal is not known to have taken."""
        return self._bytes

    @property
    def rate(self) -> float | None:
        return self._rate

    def touched(self, now: float, seconds: float = TOUCHED_SECONDS) -> None:
        """A person did something: frames of the next `seconds` answer it."""
        self._touched_until = max(self._touched_until, now + seconds)

    def painted(self, now: float, size: int) -> None:
        """A frame was written."""
        self._underway.append((now, size))
        self._bytes += size
        busy = size / self._rate if self._rate else 0.0
        self._next_stream = now + max(self._rest, min(busy / STREAM_SHARE, LONGEST_REST_SECONDS))

    def answered(self, now: float) -> None:
        """The terminal has taken the oldest frame under way."""
        self.answers = True
        self._taken(now)

    def drained(self, now: float) -> None:
        """The kernel has taken everything: all that is known of a terminal that never answers."""
        if not self.answers:
            while self._underway:
                self._taken(now)

    def _taken(self, now: float) -> None:
        if not self._underway:
            return
        before = self._bytes
        at, size = self._underway.popleft()
        self._bytes -= size
        took = now - at
        self._quickest = min(self._quickest, took)
        on_the_line = took - self._quickest
        if size < TELLING_BYTES:
            return
        if on_the_line > 0.005:
            # Frames written later stand behind this one, so `size` is what was carried at least.
            rate = max(size, 1) / on_the_line
            self._rate = rate if self._rate is None else 0.7 * self._rate + 0.3 * rate
        elif self._rate is not None and before > LEAST_WINDOW:
            self._rate *= 1.5  # the line has become better
            if self._rate > 10_000_000:
                self._rate = None

    def wait(self, now: float) -> float:
        """Seconds until the next frame may be painted; 0: now. An answer or a key may make it sooner."""
        if not self._underway:
            return 0.0 if now < self._touched_until else max(0.0, self._next_stream - now)
        overdue = self._underway[0][0] + PATIENCE_SECONDS - now
        if overdue <= 0 and not self.answers:
            return 0.0
        window = FIRST_WINDOW if self._rate is None else max(LEAST_WINDOW, self._rate * WINDOW_SECONDS)
        if now < self._touched_until and self._bytes <= window:
            return 0.0
        return min(max(overdue, 0.05), PATIENCE_SECONDS)

    def silent(self, now: float) -> bool:
        """Whether an answer is overdue: time to ask again, lest a lost answer stops the painting for good."""
        return bool(self._underway) and now - self._underway[-1][0] > PATIENCE_SECONDS

    def begin_again(self) -> None:
        """The terminal was left or came back: what was under way is not waited for."""
        self._underway.clear()
        self._bytes = 0
