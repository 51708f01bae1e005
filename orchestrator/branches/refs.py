"""Where refs stand, without asking git again and again: git is asked when the files that it keeps a ref in change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

State = tuple[bytes | None, tuple[int, int] | None]
"""A ref's own file, and when the file of packed refs was written and how long it is."""


class Heads:
    """The refs of the repository at `path`; `ask` asks git for a ref's commit, None where there is no such ref."""

    def __init__(self, path: Path, ask: Callable[[str], str | None]) -> None:
        self._git = path / ".git"
        self._ask = ask
        self._seen: dict[str, tuple[State, str | None]] = {}

    def of(self, ref: str) -> str | None:
        """The commit of a full ref such as refs/heads/master, None where there is no such ref. Raises LabError."""
        state = self._state(ref)  # before git is asked: what changes meanwhile is seen the next time
        known = self._seen.get(ref)
        if state is not None and known is not None and known[0] == state:
            return known[1]
        commit = self._ask(ref)
        if state is not None:
            self._seen[ref] = (state, commit)
        return commit

    def _state(self, ref: str) -> State | None:
        """None where these files do not tell: a repository of another form, or a ref that names another one."""
        try:
            own: bytes | None = (self._git / ref).read_bytes()
        except OSError:
            own = None
        try:
            found = (self._git / "packed-refs").stat()
            packed: tuple[int, int] | None = (found.st_mtime_ns, found.st_size)
        except OSError:
            packed = None
        if (own is None and packed is None) or (own is not None and own.startswith(b"ref:")):
            return None
        return own, packed
